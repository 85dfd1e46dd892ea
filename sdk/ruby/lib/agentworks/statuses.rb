# frozen_string_literal: true

require_relative 'channel'

module Agentworks
  # Something that happened to the connection (with `session`: to the direct connection of that session) or to a session. `type` is one of
  #   :connected (agent) · :disconnected (code, reason, will_reconnect, session?) · :reconnecting (attempt, delay_ms, session?) ·
  #   :certificate_renewed (not_after: the new one is in its files, and the agent connects anew with it; with `renew:`) ·
  #   :goaway (reason: the broker asked for a new connection, as before a deploy; it is made at once) · :superseded ·
  #   :session_opened (session) · :session_closed (session, reason, error?) · :paused (session) · :resumed (session) ·
  #   :fault (error, session?; one that is retryable is told for the record: the SDK deals with it)
  # It may be matched: `in { type: :disconnected, code: }`.
  Status = Struct.new(
    :type, :agent, :code, :reason, :will_reconnect, :attempt, :delay_ms, :not_after, :session, :error, keyword_init: true
  )

  # What one reader has not read yet. Of what nobody reads the newest 1024 are kept; `close` ends it.
  class StatusReader < Channel
    UNREAD_MAX = 1024
    private_constant :UNREAD_MAX

    # @api private
    def initialize(lock, &left)
      super(lock, size_max: UNREAD_MAX)
      @left = left
    end

    # Reads no more.
    def close
      @lock.synchronize do
        @left.call(self)
        finish
      end
    end
  end

  # What happened, for everyone who reads it. Everything here happens with the lock held.
  class Statuses
    def initialize(lock)
      @lock = lock
      @readers = []
      @ended = false
    end

    def say(type, **more)
      return if @readers.empty?

      status = Status.new(type: type, **more)
      @readers.each { |reader| reader.push(status) }
    end

    # Everything from now on.
    def read
      reader = StatusReader.new(@lock) { |one| @readers.delete(one) }
      @ended ? reader.finish : @readers << reader
      reader
    end

    def finish
      @ended = true
      @readers.each(&:finish)
      @readers.clear
    end
  end
end
