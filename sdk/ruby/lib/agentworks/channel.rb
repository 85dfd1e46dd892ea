# frozen_string_literal: true

require_relative 'deferred'

module Agentworks
  # A queue that an application reads. Each value goes to one reader; readers know nothing of each other.
  # `on_take` is told, with the lock held, when a value is about to leave the queue for the application: acknowledgement hangs on that. It
  # answers false when the value must not leave: whoever says so has ended the channel.
  class Channel
    include Enumerable

    # @param size_max [Integer, nil] beyond it the oldest value is dropped: only for values that may be
    # @param on_leave [#call, nil] is told, with the lock held, when a reader has left
    def initialize(lock, size_max: nil, on_take: nil, on_leave: nil)
      @lock = lock
      @size_max = size_max
      @on_take = on_take
      @on_leave = on_leave
      @values = []
      @waiters = Waiters.new(lock)
      @ended = false
      @error = nil
      @readers = 0
      @by_hand = false
    end

    # --- what the application does

    # The next value. Waits for it.
    # @param timeout [Numeric, nil] seconds; after them TimedOut is raised
    # @raise [StopIteration] there will be no more; or the error that ended it
    def next(timeout: nil)
      @lock.synchronize do
        @by_hand = true
        value = take(timeout)
        raise StopIteration, 'there is nothing more to read' if value.nil?

        value.first
      end
    end

    # Values as they come, until the end; raises the error that ended it.
    def each
      return to_enum(:each) unless block_given?

      @lock.synchronize { @readers += 1 }
      begin
        while (value = @lock.synchronize { take(nil) })
          yield value.first
        end
        self
      ensure
        @lock.synchronize { leave }
      end
    end

    # @return [Integer] values that wait to be read
    def size
      @lock.synchronize { @values.size }
    end

    # --- what its owner does, with the lock held

    # @api private
    def push(value)
      return if @ended

      @values << value
      @values.shift if @size_max && @values.size > @size_max
      @waiters.notify
    end

    # No more values. What is queued can still be read; then readers end, or raise `error`.
    # @api private
    def finish(error = nil)
      return if @ended

      @ended = true
      @error = error
      @waiters.notify
    end

    # Takes everything that is queued, for nobody.
    # @api private
    def discard
      @values.shift while !@values.empty? && leaves?
    end

    # @api private
    def remove(value)
      @values.delete(value)
    end

    # Whether anybody reads: in `each` now, or by `next` ever.
    # @api private
    def read?
      @readers.positive? || @by_hand
    end

    # @api private
    def unread?
      !@values.empty?
    end

    private

    # @return [Array(Object), nil] the next value; nil at the end
    def take(timeout)
      raise TimedOut unless @waiters.until(timeout) { @ended || !@values.empty? }
      return [@values.shift] if !@values.empty? && leaves?
      raise @error.dup if @error

      nil
    end

    def leave
      @readers -= 1
      @on_leave&.call
    end

    def leaves?
      @on_take.nil? || @on_take.call(@values.first) != false
    end
  end
end
