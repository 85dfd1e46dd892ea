# frozen_string_literal: true

# Names on the wire: their shapes, and UUIDv7 made from time and dice that the caller brings (the core has neither).
module Agentworks
  module Protocol
    module Ids
      AGENT = /\A[a-z0-9][a-z0-9._-]{0,63}\z/.freeze
      CAPABILITY = /\A[a-z0-9][a-z0-9._-]{0,127}\z/.freeze
      UUID = /\A[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z/.freeze

      VARIANT = Array.new(64) { |low| format('%02x', 0x80 | low) }.freeze
      private_constant :VARIANT

      module_function

      def agent?(value)
        value.is_a?(String) && value.match?(AGENT)
      end

      def capability?(value)
        value.is_a?(String) && value.match?(CAPABILITY)
      end

      def uuid?(value)
        value.is_a?(String) && value.match?(UUID)
      end

      # UUIDv7 (RFC 9562 §5.7) of a time and of random bytes.
      # @param now_ms [Integer] milliseconds since the epoch
      # @param random [String] 10 bytes of good dice
      def uuidv7(now_ms, random)
        time = [now_ms].pack('Q>').unpack1('H*')
        dice = random.unpack1('H*')
        "#{time[4, 8]}-#{time[12, 4]}-7#{dice[1, 3]}-#{VARIANT[random.getbyte(2) & 63]}#{dice[6, 2]}-#{dice[8, 12]}"
      end
    end
  end
end
