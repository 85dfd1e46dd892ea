# frozen_string_literal: true

# What an application hands over: one line of JSON that the broker reads as the same value, or an error before anything is sent.
require 'bigdecimal'
require_relative 'support/stage'

class ContentTest < AgentTest
  # Says whatever it was given as its JSON.
  Saying = Struct.new(:text) do
    def to_json(*)
      text
    end
  end

  # Members that are nobody's business.
  class Discreet < Hash
    def to_json(*)
      '"***"'
    end
  end

  # As Rails has some.
  class Derived < Hash; end

  PRETTY = "{\n  \"a\": [\n    1,\n    \"\u{2028}\"\n  ]\n}\n"

  def test_what_a_to_json_of_its_own_gives_is_read_and_written_again_in_one_line
    {
      PRETTY => "{\"a\":[1,\"\u{2028}\"]}", " 7\n" => '7', 'null' => 'null', '"\ud800"' => "\"\u{FFFD}\"",
      "\"\xC3\xA9\"".b => '"é"', '{"a":1,"a":2}' => '{"a":2}',
      "1#{' ' * 300_000}" => '1', ('[' * 30) + (']' * 30) => ('[' * 30) + (']' * 30)
    }.each { |text, line| assert_equal line, json_of(Saying.new(text)) }
    assert_equal '[{"a":1},"***","***"]', json_of([{ a: Saying.new("1\n") }, Discreet['a', 1], Discreet.new])
    assert_equal '{"a":1}', json_of(Derived[:a, 1])
  end

  def test_a_to_json_that_gives_no_json_is_refused_where_it_is
    ['{bad', nil, 5, '', '1,2', '1},{"b":2', 'NaN', "\"a\nb\"", "\"\xFF\"", '[9007199254740993]'].each do |text|
      error = refused({ 'there' => [Saying.new(text)] }, text.inspect)
      assert_equal :invalid_argument, error.reason
      assert_match(/\AAt \$\.there\[0\]/, error.detail)
    end
    [('[' * 31) + (']' * 31), '[' * 100_000].each { |text| assert_equal :too_deep, refused(Saying.new(text)).reason }
    assert_equal :too_deep, refused([Saying.new(('[' * 30) + (']' * 30))]).reason
    assert_equal :envelope_too_large, refused(Saying.new("\"#{'x' * 300_000}\"")).reason
  end

  def test_a_number_beyond_doubles_in_what_a_to_json_gives_is_refused
    # Ruby's own JSON warns of it, too.
    capture_io { %w[1e999 -1e999].each { |text| assert_equal :invalid_argument, refused(Saying.new(text)).reason } }
  end

  def test_a_to_json_that_raises_is_refused_with_its_error_as_the_cause
    raising = Class.new { define_method(:to_json) { |*| raise IOError, "no ink\xFF" } }.new
    error = refused(raising)
    assert_equal :invalid_argument, error.reason
    assert_match(/no ink/, error.detail)
    assert_kind_of IOError, error.cause
    endless = Class.new { define_method(:to_json) { |*| [self].to_json } }.new
    assert_equal :too_deep, refused(endless).reason
  end

  def test_an_integer_that_no_double_holds_is_refused
    [2**53, -(2**53), 10**20, (2**53) + 2, 2**1023, ((2**53) - 1) << 971].each { |exact| assert_equal exact.to_s, json_of(exact) }
    [(2**53) + 1, -(2**53) - 1, 12_345_678_901_234_567_890, (2**1024) - 1, 2**1024, 10**400, -(10**400)].each do |inexact|
      error = refused({ n: [inexact] }, inexact.to_s)
      assert_equal :invalid_argument, error.reason
      assert_match(/\AAt \$\.n\[0\]: .*double.* Send it as a String\.\z/, error.detail)
    end
  end

  def test_of_other_numbers_only_finite_floats_are_json
    [0.1, -1.5e-7, 1e22, Float::MAX, Float::MIN, 5e-324].each { |float| assert_equal float, JSON.parse(json_of([float])).first }
    [Float::NAN, -Float::INFINITY, BigDecimal('1.5'), Rational(1, 3), Complex(1, 2)].each do |number|
      assert_equal :invalid_argument, refused(number, number.inspect).reason
    end
  end

  def test_a_key_that_is_there_twice_is_refused
    assert_match(/the key a is there twice/, refused({ 'a' => 1, a: 2 }).detail)
  end

  def test_what_is_sent_is_one_line_and_what_is_refused_is_neither_queued_nor_in_the_journal
    Dir.mktmpdir('agentworks-content-') do |folder|
      journal = File.join(folder, 'journal')
      here, there = session_between(connect('writer', journal: journal, recover: true), connect('analyst'))
      [Saying.new('{bad'), Saying.new("1\n2"), 10**400, (2**53) + 1].each do |content|
        assert_equal(:invalid_argument, reason_of { here.send_message(content) })
        assert_equal(:invalid_argument, reason_of { here.request('count', content) })
      end
      assert_equal 1, here.send_message(Saying.new(PRETTY)).stored(timeout: PATIENCE).seq
      assert_equal({ 'a' => [1, "\u{2028}"] }, there.messages.next(timeout: PATIENCE).content)
      File.foreach(journal) { |line| assert_kind_of Hash, JSON.parse(line) }
    end
  end

  def test_a_result_or_a_progress_that_cannot_be_sent_fails_its_task_and_no_other
    results = { 'huge' => 10**400, 'inexact' => (2**53) + 1, 'broken' => Saying.new('{bad'), 'pretty' => Saying.new(PRETTY) }
    analyst = connect('analyst')
    analyst.handle('give') { |name| results.fetch(name) }
    analyst.handle('say') { |name, task| task.progress(results.fetch(name)) }
    session = connect('planner').open('analyst')
    %w[give say].product(%w[huge inexact broken]).each do |capability, name|
      failed = assert_raises(Agentworks::TaskFailed, name) { session.request(capability, name).result(timeout: PATIENCE) }
      assert_equal 'invalid_argument', failed.error['reason']
      assert_match(/\AAt \$: /, failed.error['message'])
    end
    assert_equal({ 'a' => [1, "\u{2028}"] }, session.request('give', 'pretty').result(timeout: PATIENCE))
  end

  def test_the_metadata_of_an_offer_is_judged_and_written_as_content_is
    offered = Thread::Queue.new
    planner = connect('planner')
    connect('analyst', accept: ->(offer) { offered << offer.metadata })
    assert_equal(:invalid_argument, reason_of { planner.open('analyst', metadata: Saying.new('{bad'), timeout: PATIENCE) })
    planner.open('analyst', metadata: Saying.new(PRETTY), timeout: PATIENCE)
    assert_equal({ 'a' => [1, "\u{2028}"] }, offered.pop)
  end

  def test_the_schemas_of_a_capability_are_judged_and_written_as_content_is
    offered = Thread::Queue.new
    connect('planner', accept: ->(offer) { offered << offer.capabilities })
    analyst = connect('analyst')
    [{ a: Saying.new('{bad') }, { a: 10**400 }, { a: Float::NAN }].each do |schema|
      assert_equal(:invalid_argument, reason_of { analyst.handle('read', input_schema: schema) { nil } })
    end
    analyst.handle('read', output_schema: { const: Saying.new(PRETTY) }) { nil }
    analyst.open('planner', timeout: PATIENCE)
    assert_equal([{ 'name' => 'read', 'output_schema' => { 'const' => { 'a' => [1, "\u{2028}"] } } }], offered.pop)
  end

  private

  def json_of(value)
    Agentworks::Content.json_of(value)
  end

  def refused(value, message = '')
    assert_raises(Agentworks::Error, message) { json_of(value) }
  end
end
