# frozen_string_literal: true

require_relative 'deferred'

module Agentworks
  # Proof that the broker has something durably, and then the peer's program.
  class Receipt
    # @return [String] the id of the envelope
    attr_reader :id
    # @return [Integer] its place in the stream
    attr_reader :seq

    # @api private
    def initialize(lock, id, seq)
      @lock = lock
      @id = id
      @seq = seq
      @waiters = nil
      @stored = false
      @delivered = false
      @error = nil
    end

    # Waits until it is stored: from then on no failure of the broker's loses it.
    # @param timeout [Numeric, nil] seconds; after them TimedOut is raised
    # @return [Receipt] itself
    # @raise [Error] why it never will be
    def stored(timeout: nil)
      @lock.synchronize { wait(timeout) { @stored } }
    end

    # Waits until the peer's program has taken it.
    # @return [Receipt] itself
    # @raise [Error] the session ended before
    def delivered(timeout: nil)
      @lock.synchronize { wait(timeout) { @delivered } }
    end

    def stored?
      @stored
    end

    def delivered?
      @delivered
    end

    # --- with the lock held

    # @api private
    def mark_stored
      @stored = true
      @waiters&.notify
    end

    # @api private
    def mark_delivered
      @delivered = true
      @waiters&.notify
    end

    # @api private
    def fail_with(error)
      @error = error
      @waiters&.notify
    end

    private

    def wait(timeout)
      unless yield || @error
        @waiters ||= Waiters.new(@lock)
        raise TimedOut unless @waiters.until(timeout) { yield || @error }
      end
      return self if yield

      raise @error.dup
    end
  end

  # What was sent and waits for its receipts, in the order of `seq`: receipts are cumulative, so settling them is a walk along a
  # queue. Everything here happens with the lock held.
  class Receipts
    def initialize(lock)
      @lock = lock
      @unstored = []
      @undelivered = []
    end

    def add(id, seq)
      Receipt.new(@lock, id, seq).tap { |receipt| @unstored << receipt }
    end

    # Everything through `stored` is stored, everything through `delivered` was taken by the peer's application.
    def settle(stored, delivered)
      while (receipt = @unstored.first) && receipt.seq <= stored
        @undelivered << @unstored.shift
        receipt.mark_stored
      end
      @undelivered.shift.mark_delivered while @undelivered.first && @undelivered.first.seq <= delivered
    end

    # The session ended: no further receipt will come.
    def fail_with(error)
      (@unstored + @undelivered).each { |receipt| receipt.fail_with(error) }
      @unstored.clear
      @undelivered.clear
    end
  end
end
