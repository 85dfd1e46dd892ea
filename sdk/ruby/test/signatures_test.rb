# frozen_string_literal: true

# The signatures in sig/ are those of the code: every class and method that they name is there. `rbs` says whether they make sense in
# themselves, where it is installed.
require 'minitest/autorun'
require 'open3'
require_relative '../lib/agentworks'

class SignaturesTest < Minitest::Test
  FOLDER = File.expand_path('../sig', __dir__)
  TEXT = File.read(File.join(FOLDER, 'agentworks.rbs'), encoding: 'UTF-8')

  def test_what_they_name_is_there_and_nothing_public_is_missing
    TEXT.scan(/^  class (\w+)(?:\[T\])?(?: < [\w\[\]]+)?\n(.*?)^  end$/m).each do |name, body|
      type = Agentworks.const_get(name)
      named = body.scan(/^    (?:def|attr_reader|attr_accessor) (\w+[?=]?):/).flatten.map(&:to_sym) - [:initialize]
      named.each { |method| assert type.method_defined?(method), "#{name}##{method}" }
    end
    [Agentworks::Agent, Agentworks::Session].each do |type|
      missing = type.public_instance_methods(false).reject { |method| TEXT.match?(/def #{Regexp.escape(method.to_s)}:/) } - [:inspect]
      assert_empty missing, type.name
    end
  end

  def test_they_are_valid
    rbs = %w[rbs rbs3.1].find { |command| ENV['PATH'].split(':').any? { |folder| File.executable?(File.join(folder, command)) } }
    return assert true, 'rbs is not installed' if rbs.nil?

    said, status = Open3.capture2e(rbs, '-r', 'pathname', '-r', 'openssl', '-I', FOLDER, 'validate')
    assert status.success?, said
  end
end
