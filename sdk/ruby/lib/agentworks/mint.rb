# frozen_string_literal: true

require 'openssl'
require_relative 'protocol/ids'

module Agentworks
  # Names for envelopes, sessions and tasks: UUIDv7 of the clock and of good dice, drawn by the thousand. Each agent has its own,
  # and holds its lock when it calls.
  class Mint
    STEP = 10
    POOL = STEP * 1024
    private_constant :STEP, :POOL

    def initialize
      @used = POOL
    end

    def call
      if @used == POOL
        @pool = OpenSSL::Random.random_bytes(POOL)
        @used = 0
      end
      dice = @pool.byteslice(@used, STEP)
      @used += STEP
      Protocol::Ids.uuidv7(Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), dice)
    end
  end
end
