# frozen_string_literal: true

# What is sent is what the broker takes: as large as is allowed here, it arrives; and nothing that it would refuse leaves.
require_relative 'support/stage'

class SizesTest < AgentTest
  LIMITS = Agentworks::Protocol::Limits
  LONGEST = 'c' * 128
  HOUR_MS = 3_600_000

  def test_the_largest_content_that_is_taken_here_is_taken_by_the_broker_wherever_it_is
    analyst = connect('analyst40')
    analyst.handle(LONGEST) do |input, task|
      task.progress(input)
      input
    end
    planner = connect('planner40')
    here = planner.open('analyst40', capability: LONGEST, metadata: largest, wait_ms: LIMITS::OFFER_TTL_MS_MAX)
    there = analyst.sessions.next(timeout: PATIENCE)
    task = here.request(LONGEST, largest, deadline_ms: HOUR_MS)
    assert_equal [largest], task.each_progress.to_a
    assert_equal largest, task.result(timeout: PATIENCE)
    here.send_message(largest)
    assert_equal largest, there.messages.next(timeout: PATIENCE).content
    too_large = "#{largest}x"
    assert_equal(:envelope_too_large, reason_of { here.request(LONGEST, too_large) })
    assert_equal(:envelope_too_large, reason_of { here.send_message(too_large) })
    assert_equal(:envelope_too_large, reason_of { planner.open('analyst40', metadata: too_large) })
  end

  def test_no_head_is_longer_than_what_is_kept_free_for_it
    uuid = '01a1ee56-5e03-7000-8000-000000000000'
    seq = (2**53) - 1
    deadline = Time.at(0).utc.iso8601(3)
    work = { type: '', id: uuid, session_id: uuid, seq: seq }
    heads = [
      work.merge(type: 'MESSAGE', data: { content: '' }),
      work.merge(type: 'TASK_REQUEST', data: { task_id: uuid, capability: LONGEST, input: '', deadline: deadline }),
      work.merge(type: 'TASK_PROGRESS', data: { task_id: uuid, progress: '' }),
      work.merge(type: 'TASK_RESPONSE', data: { task_id: uuid, status: 'succeeded', result: '' }),
      { type: 'SESSION_INIT', id: uuid, session_id: uuid, to: 'p' * 64,
        data: { ttl_ms: LIMITS::OFFER_TTL_MS_MAX, capability: LONGEST, metadata: '' } }
    ].map { |envelope| JSON.generate(envelope).bytesize }
    assert_operator heads.max, :<=, LIMITS::ENVELOPE_BYTES_MAX - JSON.generate(largest).bytesize
  end

  # Whatever it says, one line leaves, and a line that is JSON: what the broker cannot take would stop the session.
  def test_an_object_with_a_to_json_of_its_own_sends_one_line_of_json_or_nothing
    says = ->(text = nil, &block) { Object.new.tap { |one| one.define_singleton_method(:to_json, &(block || ->(*) { text })) } }
    here, there = session_between(connect('planner41'), connect('analyst41'))
    here.send_message([says.call("{\n  \"pretty\": true\n}")])
    assert_equal [{ 'pretty' => true }], there.messages.next(timeout: PATIENCE).content
    here.send_message(says.call('"caf\\ud83d"'))
    assert_equal 'caf�', there.messages.next(timeout: PATIENCE).content
    unsayable = [
      says.call('no json'), says.call('1, "two": 2'), says.call('NaN'), says.call("1#{'0' * 400}"), says.call("\"\xff\""), says.call(7),
      says.call { |*| raise 'no idea' }
    ]
    unsayable.each_with_index { |one, n| assert_equal(:invalid_argument, reason_of { here.send_message([one]) }, n) }
    assert_equal(:too_deep, reason_of { here.send_message([says.call("#{'[' * 30}#{']' * 30}")]) })
    here.send_message('still there').stored(timeout: PATIENCE)
  end

  # What is offered is what it was when `open` was called.
  def test_metadata_is_written_when_it_is_given
    analyst = connect('analyst43', accept: ->(offer) { offer.metadata == { 'n' => 1 } })
    money = Struct.new(:amount) { def to_json(*) = "{\n\"n\": #{amount}\n}" }
    assert_equal analyst.id, connect('planner43').open('analyst43', metadata: money.new(1), timeout: PATIENCE).peer
  end

  private

  # The largest text that `Content` lets through.
  def largest
    @largest ||= begin
      max = LIMITS::ENVELOPE_BYTES_MAX
      length = (0..max).bsearch { |n| reason_of { Agentworks::Content.json_of('x' * n) } == :envelope_too_large } - 1
      'x' * length
    end
  end
end
