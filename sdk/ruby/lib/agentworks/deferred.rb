# frozen_string_literal: true

require_relative 'clock'
require_relative 'error'

# Waiting for what another thread, or another fiber of a reactor, does: one lock for each agent, a condition for each wait.
# Mutex and ConditionVariable are what a Fiber::Scheduler knows how to wait for; nothing else in the SDK blocks its callers.
module Agentworks
  # A condition under the lock of an agent, made when somebody waits: most never do.
  class Waiters
    def initialize(lock)
      @lock = lock
      @condition = nil
    end

    # With the lock held: gives it away until the block says so.
    # @param timeout [Numeric, nil] seconds
    # @return [Boolean] whether it did in time
    def until(timeout = nil)
      return true if yield

      deadline = timeout && (Clock.now + timeout)
      @condition ||= ConditionVariable.new
      loop do
        left = deadline && (deadline - Clock.now)
        return false if left && left <= 0

        @condition.wait(@lock, left)
        return true if yield
      end
    end

    # With the lock held.
    def notify
      @condition&.broadcast
    end
  end

  # A value, or an error, that somebody else brings. Everything here is called with the lock held.
  class Deferred
    def initialize(lock)
      @waiters = Waiters.new(lock)
      @settled = false
      @value = nil
      @error = nil
    end

    def settled?
      @settled
    end

    def resolve(value = nil)
      settle(value, nil)
    end

    def reject(error)
      settle(nil, error)
    end

    # @param timeout [Numeric, nil] seconds; after them TimedOut is raised
    def wait(timeout = nil)
      raise TimedOut unless @waiters.until(timeout) { @settled }
      # Each raise has a backtrace of its own.
      raise @error.dup if @error

      @value
    end

    private

    def settle(value, error)
      return if @settled

      @settled = true
      @value = value
      @error = error
      @waiters.notify
    end
  end
end
