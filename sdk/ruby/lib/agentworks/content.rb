# frozen_string_literal: true

require 'json'
require_relative 'error'
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
    private_constant :HEADER_BYTES, :BYTES_MAX, :LEVELS_MAX, :REPLACING

    module_function

    # The JSON text of nil, true, false, an Integer, a finite Float, a String, a Symbol, an Array, a Hash (its keys Strings or
    # Symbols), or an object with a `to_json` of its own.
    # @raise [Error] :invalid_argument (JSON cannot say it), :envelope_too_large (beyond 256 KiB, a little less is the envelope's
    #   own), :too_deep (nested beyond what an envelope may)
    def json_of(value)
      check(value, '$', 0)
      text = JSON.generate(value, max_nesting: LEVELS_MAX)
      raise Errors.wire(:envelope_too_large) if text.bytesize > BYTES_MAX

      text
    rescue JSON::NestingError
      raise Errors.wire(:too_deep)
    rescue JSON::GeneratorError, EncodingError => e
      raise Errors.client(:invalid_argument, "The content cannot be written as JSON: #{e.message}.")
    end

    # Words for people, such as a reason or the message of an exception, as they read: in text that JSON can say, and no longer than
    # that. Bytes without an encoding are taken for UTF-8.
    # @return [String]
    def text_of(value, chars_max)
      text = String(value)
      text = text.encoding == Encoding::BINARY ? text.dup.force_encoding(Encoding::UTF_8) : text.encode(Encoding::UTF_8, **REPLACING)
      text.scrub[0, chars_max]
    end

    def check(value, path, level)
      case value
      when String then check_text(value, path)
      when nil, true, false, Integer, Symbol then nil
      when Float
        raise misfit(path, "JSON has no way to write #{value}") unless value.finite?
      when Hash
        deeper(level)
        value.each { |key, member| check_member(key, member, path, level) }
      when Array
        deeper(level)
        value.each_with_index { |member, index| check(member, "#{path}[#{index}]", level + 1) }
      else
        return if json_of_its_own?(value)

        raise misfit(path, "JSON has no way to write #{value.class}: give a Hash, an Array, text, a number, true, false or nil")
      end
    end
    private_class_method :check

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
