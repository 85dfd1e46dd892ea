# frozen_string_literal: true

# How long to wait before the next attempt. Pure: the dice are the caller's.
module Agentworks
  # Bounds of random waits, in milliseconds: of the first one, and of every one.
  Backoff = Struct.new(:base_ms, :max_ms, keyword_init: true) do
    # Full jitter: a random time up to base × 2ⁿ, at most `max_ms`. A thousand agents that lost one broker do not come back at
    # once.
    # @param attempt [Integer] 0 for the first
    # @param random [Float] in [0, 1)
    # @return [Integer] whole milliseconds
    def wait_ms(attempt, random)
      (random * [max_ms, base_ms * (2**[attempt, 30].min)].min).floor
    end
  end
end
