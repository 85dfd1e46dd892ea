# frozen_string_literal: true

require 'json'
require_relative 'envelope'
require_relative 'ids'
require_relative 'limits'

# Text frames to envelopes and back: one JSON object a line. Faults are values; nothing here raises for bad input.
module Agentworks
  module Protocol
    # What is wrong with one line, with the ids that could be read from it.
    Fault = Struct.new(:reason, :id, :session_id)

    module Codec
      module_function

      # A frame from the broker. Sizes are not checked: the broker's frames are a little longer than what agents sent (it stamps
      # `from` and `seq`), and a client trusts its broker to bound them (F7).
      # @return [Array<Hash, Fault>] what each line says, in order
      def decode_broker_frame(text)
        text.split("\n", -1).map { |line| decode_broker_line(line) }
      end

      def decode_broker_line(line)
        value = JSON.parse(line, max_nesting: Limits::DEPTH_MAX)
        return Fault.new(:invalid_json) unless value.is_a?(Hash)

        reason = Envelope.fault_of(value)
        reason.nil? ? value : fault(reason, value)
      rescue JSON::NestingError
        Fault.new(:too_deep)
      rescue JSON::ParserError, EncodingError
        Fault.new(:invalid_json)
      end

      # An envelope as the line that crosses the wire. JSON never leaves a raw line break in it.
      def encode(envelope)
        JSON.generate(envelope)
      end

      # Lines to as few frames as the limits allow (F2, F3).
      def pack_frames(lines)
        frames = []
        frame = []
        bytes = 0
        lines.each do |line|
          size = line.bytesize + 1
          if frame.length == Limits::FRAME_ENVELOPES_MAX || (bytes + size > Limits::FRAME_BYTES_MAX && !frame.empty?)
            frames << frame.join("\n")
            frame = []
            bytes = 0
          end
          frame << line
          bytes += size
        end
        frames << frame.join("\n") unless frame.empty?
        frames
      end

      def fault(reason, value)
        id, session_id = value.values_at('id', 'session_id').map { |name| Ids.uuid?(name) ? name : nil }
        Fault.new(reason, id, session_id)
      end
      private_class_method :fault
    end
  end
end
