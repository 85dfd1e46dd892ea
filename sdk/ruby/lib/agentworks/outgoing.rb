# frozen_string_literal: true

require 'json'
require_relative 'content'
require_relative 'deferred'
require_relative 'error'
require_relative 'protocol/limits'
require_relative 'receipts'

module Agentworks
  # The sending half of a session: what may still be queued, the receipts of what was, and when there is room for more.
  # Everything here happens with the lock held.
  class Outgoing
    CLOSE_REASON_CHARS_MAX = 1024
    private_constant :CLOSE_REASON_CHARS_MAX

    # @return [Integer] messages that were queued
    attr_accessor :messages

    # @param journal [SessionJournal, nil]
    # @param wake [#call] the core has something to send
    def initialize(core, lock, mint, journal = nil, &wake)
      @core = core
      @journal = journal
      @messages = 0
      @mint = mint
      @wake = wake
      @receipts = Receipts.new(lock)
      @room = Waiters.new(lock)
      @storing = Waiters.new(lock)
      @over = false
      @shut = nil
    end

    # Everything queued is stored at the broker.
    def stored?
      @core.backlog_messages.zero?
    end

    # Queues one envelope.
    # @param data [String] JSON text of an object
    # @param bounded [Boolean] what the outbox has no room for is refused; answers are not bounded by it, there are never more of
    #   them than open tasks
    # @return [Receipt]
    # @raise [Error] :resource_exhausted, or why the session takes nothing any more
    def say(type, data, bounded: true)
      raise @shut.dup if @shut
      raise Errors.client(:resource_exhausted) if bounded && full?(data.bytesize)

      id = @mint.call
      receipt = @receipts.add(id, @core.send_text(type, id, data))
      @messages += 1 if type == 'MESSAGE'
      # What could not be written has ended the agent, and this with it.
      raise @shut.dup if @journal && !@journal.queued(@core.newest_line)

      @wake.call
      receipt
    end

    # Says SESSION_CLOSE, the last that can be said.
    # @return [Receipt]
    def close(reason)
      data = JSON.generate('reason' => Content.text_of(reason, CLOSE_REASON_CHARS_MAX))
      say('SESSION_CLOSE', data, bounded: false).tap { shut(Errors.wire(:session_closed)) }
    end

    # Waits until there is room for more.
    def wait_ready(timeout)
      raise TimedOut unless @room.until(timeout) { @shut || room? }
      raise @shut.dup if @shut
    end

    # Waits until everything that is queued is stored, or never will be because the session ended.
    # @raise [TimedOut]
    def wait_stored(timeout)
      raise TimedOut unless @storing.until(timeout) { @over || stored? }
    end

    # Nothing more can be queued.
    def shut?
      !@shut.nil?
    end

    # From now on; what is queued still goes.
    def shut(error)
      @shut ||= error
      @room.notify
    end

    # Receipts came.
    def settle(stored, delivered)
      @receipts.settle(stored, delivered)
      @room.notify if room?
      @storing.notify if stored?
    end

    # The session ended: no receipt will come any more.
    def fail_with(error)
      shut(error)
      @over = true
      @storing.notify
      @receipts.fail_with(error)
    end

    private

    def full?(bytes)
      limits = Protocol::Limits
      @core.backlog_messages >= limits::OUTBOX_MESSAGES_MAX || @core.backlog_bytes + bytes > limits::OUTBOX_BYTES_MAX
    end

    def room?
      @core.backlog_messages < Protocol::Limits::WINDOW_MESSAGES && @core.backlog_bytes < Protocol::Limits::WINDOW_BYTES
    end
  end
end
