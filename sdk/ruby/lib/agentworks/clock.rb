# frozen_string_literal: true

module Agentworks
  # Seconds that only ever go forward.
  module Clock
    def self.now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # @param seconds [Numeric, nil] nil: without end
    # @return [#call] tells how many of them are left
    def self.countdown(seconds)
      return -> {} if seconds.nil?

      deadline = now + seconds
      -> { [deadline - now, 0].max }
    end
  end
end
