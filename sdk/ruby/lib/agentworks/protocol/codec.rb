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
        (text.empty? ? [text] : text.split("\n", -1)).map { |line| decode_broker_line(line) }
      end

      def decode_broker_line(line)
        value = JSON.parse(whole_text(line), max_nesting: Limits::DEPTH_MAX)
        return Fault.new(:invalid_json) unless value.is_a?(Hash)

        reason = Envelope.fault_of(value)
        reason ||= :invalid_envelope if line.match?(HUGE) && beyond_doubles?(value)
        reason.nil? ? Envelope.settle(value) : fault(reason, value)
      rescue JSON::NestingError
        too_deep(line)
      rescue JSON::ParserError, EncodingError
        Fault.new(:invalid_json)
      end

      # What a number beyond ±1.8e308 must look like (E4).
      HUGE = /\d[eE]\+?\d{3}|\d{309}/.freeze
      ESCAPE = /\\(?:u[dD][89abAB]\h\h\\u[dD][c-fC-F]\h\h|u[dD][89a-fA-F]\h\h|.)/m.freeze
      LONE = /\A\\u[dD]\h{3}\z/.freeze
      private_constant :HUGE, :ESCAPE, :LONE

      # JSON whose strings are text that UTF-8 can say: half a surrogate pair, which JavaScript may send, becomes U+FFFD.
      def whole_text(json)
        return json unless json.match?(/\\u[dD][89a-fA-F]/)

        json.gsub(ESCAPE) { |escape| escape.match?(LONE) ? '\ufffd' : escape }
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

      def beyond_doubles?(value)
        case value
        when Integer, Float then value.abs > Float::MAX
        when Hash then value.each_value.any? { |member| beyond_doubles?(member) }
        when Array then value.any? { |item| beyond_doubles?(item) }
        else false
        end
      end
      private_class_method :beyond_doubles?

      # How deep a line is read for its ids, that is otherwise too deep.
      READABLE_DEPTH = 1000
      private_constant :READABLE_DEPTH

      def too_deep(line)
        value = JSON.parse(whole_text(line), max_nesting: READABLE_DEPTH)
        return Fault.new(:invalid_json) unless value.is_a?(Hash)

        known = Types::BROKER.include?(value['type'])
        fault(known ? :too_deep : Envelope.fault_of(value), value)
      rescue JSON::ParserError, EncodingError
        Fault.new(:too_deep)
      end
      private_class_method :too_deep
    end
  end
end
