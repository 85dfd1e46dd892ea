# frozen_string_literal: true

require 'json'
require_relative 'error'
require_relative 'protocol/codec'
require_relative 'protocol/limits'

module Agentworks
  # What an application hands over, as JSON text that the broker will take: judged here, before it costs a `seq`. Pure.
  # Ruby's own JSON would write NaN as no JSON, an object as its `to_s`, bytes that are no text in one version and not in another, an
  # integer that is another one at the other end, and unread whatever a `to_json` gives, line breaks and all: a line that the
  # broker cannot read stops its session. So it is given a copy that has nothing in it but what it writes well, and what cannot be
  # copied is an error that says where it is.
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

    # The JSON text of nil, true, false, an Integer that a double holds, a finite Float, a String, a Symbol, an Array, a Hash (its keys
    # Strings or Symbols), or an object with a `to_json` of its own, which is read and written again. One line.
    # @raise [Error] :invalid_argument (JSON cannot say it, or it would be another number at the other end), :envelope_too_large
    #   (beyond 256 KiB, a little less is the envelope's own), :too_deep (nested beyond what an envelope may)
    def json_of(value)
      text = JSON.generate(plain(value, '$', 0), max_nesting: LEVELS_MAX)
      raise Errors.wire(:envelope_too_large) if text.bytesize > BYTES_MAX

      text
    end

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

    # A copy out of nothing but nil, true, false, Integer, Float, String, Array and Hash themselves: no class that is derived from them
    # writes anything of its own, and what another thread changes meanwhile was judged as it is sent.
    def plain(value, path, level)
      case value
      when String then own_json?(value, String) ? parsed(value, path, level) : plain_text(value, path)
      when nil, true, false then value
      when Symbol then plain_text(value.to_s, path)
      when Integer then exact(value, path)
      when Float then finite(value, path)
      when Hash then own_json?(value, Hash) ? parsed(value, path, level) : plain_members(value, path, level)
      when Array then own_json?(value, Array) ? parsed(value, path, level) : plain_items(value, path, level)
      else
        return parsed(value, path, level) if own_json?(value, Object)

        raise misfit(path, "JSON has no way to write #{value.class}: give a Hash, an Array, text, a number, true, false or nil")
      end
    end
    private_class_method :plain

    # One that every object has would write it as its `to_s`.
    # @param base [Class] whose `to_json` is nobody's own
    def own_json?(value, base)
      # Most are the class itself, and asking a method for its owner is slow.
      return false if base != Object && value.instance_of?(base)

      value.respond_to?(:to_json) && value.method(:to_json).owner != base.instance_method(:to_json).owner
    end
    private_class_method :own_json?

    # What a `to_json` of its own says. Of members with the same name the last counts, as it does for every reader.
    def parsed(value, path, level)
      text = JSON.generate(value, max_nesting: LEVELS_MAX)
      plain(JSON.parse(Protocol::Codec.whole_text(text), max_nesting: LEVELS_MAX, allow_duplicate_key: true), path, level)
    rescue Error
      raise
    rescue JSON::NestingError, SystemStackError
      raise Errors.wire(:too_deep)
    rescue StandardError => e
      raise misfit(path, "the to_json of #{value.class} gives no JSON: #{words_of(e, ERROR_CHARS_MAX)}")
    end
    private_class_method :parsed

    def plain_members(hash, path, level)
      deeper(level)
      hash.each_with_object({}) do |(key, member), copy|
        raise misfit(path, "a key is #{key.class}: give Strings or Symbols") unless key.is_a?(String) || key.is_a?(Symbol)

        name = plain_text(key.to_s, path)
        raise misfit(path, "the key #{name} is there twice, as a String and as a Symbol") if copy.key?(name)

        copy[name] = plain(member, "#{path}.#{name}", level + 1)
      end
    end
    private_class_method :plain_members

    def plain_items(array, path, level)
      deeper(level)
      array.map.with_index { |item, index| plain(item, "#{path}[#{index}]", level + 1) }
    end
    private_class_method :plain_items

    # A circle of arrays or hashes ends here, too.
    def deeper(level)
      raise Errors.wire(:too_deep) if level >= LEVELS_MAX
    end
    private_class_method :deeper

    def plain_text(text, path)
      return text.encode(Encoding::UTF_8) unless text.encoding == Encoding::UTF_8
      raise misfit(path, 'a String is not valid UTF-8') unless text.valid_encoding?

      String.new(text)
    rescue EncodingError
      raise misfit(path, "a String in #{text.encoding} is not text that UTF-8 can say; bytes belong in Base64")
    end
    private_class_method :plain_text

    # All numbers are IEEE doubles at the other end (E4).
    def exact(integer, path)
      bits = integer.abs.bit_length
      return integer if bits <= Float::MANT_DIG
      raise misfit(path, "an Integer of #{bits} bits is beyond what a double holds. Send it as a String") if bits > Float::MAX_EXP

      zeros = (integer & -integer).bit_length - 1
      return integer if bits - zeros <= Float::MANT_DIG

      raise misfit(path, "#{integer} would be another number at the other end, where numbers are doubles. Send it as a String")
    end
    private_class_method :exact

    def finite(float, path)
      raise misfit(path, "JSON has no way to write #{float}") unless float.finite?

      float
    end
    private_class_method :finite

    def misfit(path, why)
      Errors.client(:invalid_argument, "At #{path}: #{why}.")
    end
    private_class_method :misfit
  end
end
