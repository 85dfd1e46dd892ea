# frozen_string_literal: true

require 'json'
require_relative 'error'
require_relative 'protocol/codec'
require_relative 'protocol/limits'

module Agentworks
  # What an application hands over, as JSON text that the broker will take: judged here, before it costs a `seq`. Pure.
  # Ruby's own JSON would write NaN as no JSON, an object as its `to_s`, and bytes that are no text in one version and not in
  # another: here each is an error that says where it is.
  module Content
    # Kept free for what is around the content: type, ids, seq, a long capability, a deadline.
    HEADER_BYTES = 512
    BYTES_MAX = Protocol::Limits::ENVELOPE_BYTES_MAX - HEADER_BYTES
    # The envelope and its `data` are two of the levels.
    LEVELS_MAX = Protocol::Limits::DEPTH_MAX - 2
    REPLACING = { invalid: :replace, undef: :replace }.freeze
    # As much of the message of an exception as is told.
    ERROR_CHARS_MAX = 1024
    private_constant :HEADER_BYTES, :BYTES_MAX, :LEVELS_MAX, :REPLACING, :ERROR_CHARS_MAX

    module_function

    # The JSON text of nil, true, false, an Integer, a finite Float, a String, a Symbol, an Array, a Hash (its keys Strings or
    # Symbols), or an object with a `to_json` of its own.
    # @raise [Error] :invalid_argument (JSON cannot say it), :envelope_too_large (beyond 256 KiB, a little less is the envelope's
    #   own), :too_deep (nested beyond what an envelope may)
    def json_of(value)
      plain = check(value, '$', 0)
      text = JSON.generate(value, max_nesting: LEVELS_MAX)
      text = rewritten(text) unless plain
      raise Errors.wire(:envelope_too_large) if text.bytesize > BYTES_MAX

      text
    rescue JSON::NestingError
      raise Errors.wire(:too_deep)
    rescue Error
      raise
    rescue StandardError => e
      # Also what a `to_json` raised.
      raise Errors.client(:invalid_argument, "The content cannot be written as JSON: #{words_of(e, ERROR_CHARS_MAX)}.")
    end

    # A `to_json` of the application's may say anything: what it said is read, judged, and written in one line. A line that is none of
    # JSON, or two of them, would stop the session.
    def rewritten(text)
      value = JSON.parse(Protocol::Codec.whole_text(text), max_nesting: LEVELS_MAX)
      check(value, '$', 0)
      JSON.generate(value, max_nesting: LEVELS_MAX)
    end
    private_class_method :rewritten

    # Words for people, such as a reason or the message of an exception, as they read: in text that JSON can say, and no longer than
    # that. Bytes without an encoding are taken for UTF-8.
    # @return [String]
    def text_of(value, chars_max)
      text = String(value)
      text = text.encoding == Encoding::BINARY ? text.dup.force_encoding(Encoding::UTF_8) : text.encode(Encoding::UTF_8, **REPLACING)
      text.scrub[0, chars_max]
    end

    # What an exception says of itself, or its class where that cannot be read: its `message` is the application's, and may raise in its turn.
    # @return [String]
    def words_of(error, chars_max)
      text_of(error.message, chars_max).then { |text| text.empty? ? text_of(error.class, chars_max) : text }
    rescue Exception # rubocop:disable Lint/RescueException
      text_of(error.class, chars_max)
    end

    # @return [Boolean] whether Ruby's own JSON writes all of it, and no `to_json` of the application's
    def check(value, path, level)
      case value
      when String
        check_text(value, path)
        value.instance_of?(String)
      when nil, true, false, Symbol then true
      when Integer, Float then check_number(value, path)
      when Hash
        deeper(level)
        plain = value.instance_of?(Hash)
        value.each { |key, member| plain = check_member(key, member, path, level) && plain }
        plain
      when Array
        deeper(level)
        plain = value.instance_of?(Array)
        value.each_with_index { |member, index| plain = check(member, "#{path}[#{index}]", level + 1) && plain }
        plain
      else
        return false if json_of_its_own?(value)

        raise misfit(path, "JSON has no way to write #{value.class}: give a Hash, an Array, text, a number, true, false or nil")
      end
    end
    private_class_method :check

    # E4: numbers are IEEE doubles.
    def check_number(value, path)
      if value.is_a?(Float)
        raise misfit(path, "JSON has no way to write #{value}") unless value.finite?
      elsif value.bit_length >= Float::MAX_EXP && value.abs > Float::MAX
        raise misfit(path, 'the number is beyond what a double can say: put it in a String')
      end
      true
    end
    private_class_method :check_number

    # One that every object has would write it as its `to_s`.
    def json_of_its_own?(value)
      value.respond_to?(:to_json) && value.method(:to_json).owner != Object.instance_method(:to_json).owner
    end
    private_class_method :json_of_its_own?

    # A circle of arrays or hashes ends here, too.
    def deeper(level)
      raise Errors.wire(:too_deep) if level >= LEVELS_MAX
    end
    private_class_method :deeper

    def check_member(key, member, path, level)
      raise misfit(path, "a key is #{key.class}: give Strings or Symbols") unless key.is_a?(String) || key.is_a?(Symbol)

      check_text(key.to_s, path)
      check(member, "#{path}.#{key}", level + 1)
    end
    private_class_method :check_member

    def check_text(text, path)
      return if text.encoding == Encoding::UTF_8 ? text.valid_encoding? : text.encode(Encoding::UTF_8)

      raise misfit(path, 'a String is not valid UTF-8')
    rescue EncodingError
      raise misfit(path, "a String in #{text.encoding} is not text that UTF-8 can say; bytes belong in Base64")
    end
    private_class_method :check_text

    def misfit(path, why)
      Errors.client(:invalid_argument, "At #{path}: #{why}.")
    end
    private_class_method :misfit
  end
end
