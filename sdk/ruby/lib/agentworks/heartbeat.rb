# frozen_string_literal: true

module Agentworks
  # When a connection says HEARTBEAT, and when it is given up (H2): clocks only, no socket. What the client sent is what proves to
  # the broker that it lives, and what it hears proves that the broker does.
  class Heartbeat
    # @param interval [Numeric] seconds without sending, or hearing, after which it beats
    # @param timeout [Numeric] seconds without hearing, after which it is given up
    # @param now [Numeric] the time, in seconds
    def initialize(interval, timeout, now)
      @interval = interval
      @timeout = timeout
      @sent_at = now
      @heard_at = now
      # A heartbeat went out since something was heard.
      @asked = false
    end

    def sent(now)
      @sent_at = now
    end

    def heard(now)
      @heard_at = now
      @asked = false
    end

    # @return [:beat, :give_up, nil] what is to be done now. A beat counts as sent.
    def due(now)
      return :give_up if now - @heard_at >= @timeout

      unheard = !@asked && now - @heard_at >= @interval
      return nil unless unheard || now - @sent_at >= @interval

      @sent_at = now
      @asked = true
      :beat
    end

    # @return [Numeric] when to ask again
    def next_at
      beat_at = (@asked ? @sent_at : [@sent_at, @heard_at].min) + @interval
      [beat_at, @heard_at + @timeout].min
    end
  end
end
