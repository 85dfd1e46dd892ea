# frozen_string_literal: true

require_relative 'backoff'
require_relative 'protocol/limits'

# Whether a session gets through to the broker, and whether its peer may get through to it: small states that say when to attach
# again, when not to send yet, and when to say PAUSE. Attaching and sending are the session's.
module Agentworks
  # L15, L28: notices when what waits for an answer has not moved for too long.
  class Stall
    def initialize
      @mark = nil
      @since = 0
    end

    # @param mark [Object, nil] names what is waited for; nil: nothing
    # @return [Boolean] whether the same has been waited for since `patience` seconds; the clock then starts again
    def stalled?(mark, now, patience)
      stalled = !mark.nil? && mark == @mark && now - @since >= patience
      @since = now if stalled || mark != @mark
      @mark = mark
      stalled
    end
  end

  # Holds a session's lines back after its relay failed: not again at once, and ever less often.
  class Hold
    def initialize(loop)
      @loop = loop
      @failures = 0
      @timer = nil
    end

    def held?
      !@timer.nil?
    end

    # @param random [Float] in [0, 1)
    # @param released is told when lines may go again
    def hold(random, &released)
      return if @timer

      limits = Protocol::Limits
      bounds = Backoff.new(base_ms: limits::RECONNECT_BASE_MS, max_ms: limits::RECONNECT_MAX_MS)
      delay_ms = bounds.wait_ms(@failures, random)
      @failures += 1
      @timer = @loop.after(delay_ms / 1000.0) do
        @timer = nil
        released.call
      end
    end

    def release
      @timer&.cancel
      @timer = nil
    end

    # It works again.
    def healed
      @failures = 0
    end
  end

  # PAUSE and RESUME as the application wishes: said once, and again after an attachment, which starts without.
  class Pausing
    def initialize
      @wanted = false
      @unsaid = false
    end

    def want(paused)
      return if @wanted == paused

      @wanted = paused
      @unsaid = true
    end

    def attached
      @unsaid = @wanted
    end

    def unsaid?
      @unsaid
    end

    # @return [String, nil] the type of what is to be said now, once
    def take
      return nil unless @unsaid

      @unsaid = false
      @wanted ? 'PAUSE' : 'RESUME'
    end
  end
end
