# frozen_string_literal: true

require_relative 'error'

module Agentworks
  # How a session closes, from either side: what this side says last, and that the peer's close counts as taken only once nothing of
  # this side's is on its way (N8). What stops with it, handlers and readers, is the session's to say. Everything here happens with the
  # lock held.
  class SessionClose
    # @return [Receipt, nil] of this side's SESSION_CLOSE; nil where there is none, because the peer or an earlier life closed before
    attr_reader :receipt

    def initialize(outgoing, inbox)
      @outgoing = outgoing
      @inbox = inbox
      @said = false
      @own_reason = nil
      # The peer closed, and has nothing more to say.
      @peers_reason = nil
      @slot = nil
      @receipt = nil
    end

    # Why the session ends, when nothing else ends it.
    def reason
      @peers_reason || @own_reason || 'closed'
    end

    # Whether this side closes.
    def said?
      @said
    end

    # This side has closed, and all that it said is stored: nothing that comes can make a failure of that.
    def done?
      @said && @outgoing.shut? && @outgoing.stored?
    end

    # After the peer's close, or an earlier life's, ours has nothing to add. The session ends when both have everything, whoever is
    # there to see it.
    def say(reason)
      @receipt = @outgoing.close(reason) unless @outgoing.shut?
      @said = true
      @own_reason = reason
    end

    # An earlier life of this program had closed it, or had heard the peer's close.
    def recall(reason)
      @said = true
      @own_reason = reason
      @outgoing.shut(Errors.wire(:session_closed))
    end

    # The peer closes. What is still queued goes first: once its close is acknowledged, this side has no more to say.
    def hear(reason, slot)
      @peers_reason = reason
      @slot = slot
      @outgoing.shut(Errors.wire(:session_closed))
    end

    # Takes the peer's close as soon as that may be: after it was heard, and after each receipt.
    def settle
      @inbox.done(@slot) if @slot && @outgoing.stored?
    end
  end
end
