# frozen_string_literal: true

require_relative 'channel'

module Agentworks
  # One message of a peer. `timestamp` is RFC 3339, where the sender said so; `redelivered?` is true when an earlier life of this
  # agent may have taken it already.
  Message = Struct.new(:content, :id, :seq, :timestamp, :redelivered, keyword_init: true) do
    alias_method :redelivered?, :redelivered
  end

  # The messages of a session on their way to the application: each keeps its place in the inbox until a reader takes it.
  # Everything here happens with the lock held.
  class Messages
    # @return [Channel] what the application reads
    attr_reader :channel

    def initialize(lock, inbox)
      @inbox = inbox
      @slots = {}
      @unwanted = false
      @channel = Channel.new(
        lock, on_take: ->(message) { @inbox.done(@slots.delete(message.seq)) }, on_leave: -> { unwanted if @unwanted }
      )
    end

    def unread?
      @channel.unread?
    end

    def arrived(envelope, redelivered)
      seq = envelope['seq']
      slot = @inbox.arrived(seq)
      return @inbox.done(slot) if @unwanted && !@channel.read?

      @slots[seq] = slot
      @channel.push(
        Message.new(
          content: envelope['data']['content'], id: envelope['id'], seq: seq, timestamp: envelope['timestamp'],
          redelivered: redelivered
        )
      )
    end

    # This side closed: what nobody reads now, or when its reader leaves, nobody will. Otherwise the session would wait for a reader to end.
    def unwanted
      @unwanted = true
      @channel.discard unless @channel.read?
    end

    # No more will come; what is there can be read. Then readers end, or raise `error`.
    def finish(error = nil)
      @channel.finish(error)
    end
  end
end
