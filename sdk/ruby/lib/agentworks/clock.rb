# frozen_string_literal: true

module Agentworks
  # Seconds that only ever go forward.
  module Clock
    def self.now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
