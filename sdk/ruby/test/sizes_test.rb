# frozen_string_literal: true

# What is sent is what the broker takes: as large as is allowed here, it arrives.
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
