# frozen_string_literal: true

# Programs that died and came back without a memory, and tasks that run out of time.
require_relative 'support/stage'

class RecoveryTest < AgentTest
  def test_a_task_outlives_the_crash_of_its_performer
    planner = connect('planner1')
    analyst = connect('analyst1')
    began = Thread::Queue.new
    analyst.handle('slow') do |_, task|
      began << task
      task.wait_cancelled
    end
    session = planner.open('analyst1')
    task = session.request('slow', { n: 1 })
    refute began.pop.redelivered?
    task.delivered(timeout: PATIENCE)
    # `close` says nothing to anybody: for the broker it is what a crash looks like.
    analyst.close

    again = connect('analyst1', recover: true)
    again.handle('other') { 'not this one' }
    performances = []
    again.handle('slow') { |input, performance| performances << performance and input }
    assert_equal({ 'n' => 1 }, task.result(timeout: PATIENCE))
    assert_equal([[task.id, true]], performances.map { |one| [one.id, one.redelivered?] })
    recovered = again.sessions.next(timeout: PATIENCE)
    assert_equal [session.id, 'planner1', true, []], [recovered.id, recovered.peer, recovered.recovered?, recovered.capabilities]
    recovered.send_message('and the session goes on')
    assert_equal 'and the session goes on', session.messages.next(timeout: PATIENCE).content
  end

  # [T3]
  def test_a_task_outlives_the_crash_of_its_requester_and_is_not_run_again
    planner = connect('planner2')
    analyst = connect('analyst2')
    runs = 0
    go = Thread::Queue.new
    began = Thread::Queue.new
    analyst.handle('slow') do
      runs += 1
      began << true
      go.pop
      'once'
    end
    session = planner.open('analyst2')
    task_id = session.request('slow', 1).tap { |task| task.stored(timeout: PATIENCE) }.id
    began.pop
    planner.close

    again = connect('planner2', recover: true)
    recovered = again.sessions.next(timeout: PATIENCE)
    assert_equal [session.id, true, [task_id]], [recovered.id, recovered.recovered?, recovered.requested]
    task = recovered.request('slow', 1, task_id: task_id)
    go << nil
    assert_equal 'once', task.result(timeout: PATIENCE)
    assert_equal 1, runs
  end

  # [A8]
  def test_messages_that_nobody_had_taken_come_again_after_a_crash
    planner = connect('planner3')
    analyst = connect('analyst3')
    here, there = session_between(planner, analyst)
    (1..5).each { |n| here.send_message(n).stored(timeout: PATIENCE) }
    assert_equal [1, 2], take(there.messages, 2).map(&:content)
    analyst.close
    recovered = connect('analyst3', recover: true).sessions.next(timeout: PATIENCE)
    got = []
    got << recovered.messages.next(timeout: PATIENCE) until got.last&.content == 5
    # What was taken in the last moments may not have been said to be: such a message is marked.
    assert_includes [[1, 2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5]], got.map(&:content)
    assert(got.select { |message| message.content <= 2 }.all?(&:redelivered?))
  end

  def test_an_agent_that_is_drained_before_it_knows_where_its_sessions_stand_closes_them_all_the_same
    planner = connect('planner6')
    analyst = connect('analyst6')
    sessions = Array.new(3) { planner.open('analyst6').tap { |session| session.send_message(1).stored(timeout: PATIENCE) } }
    planner.close
    assert_equal true, connect('planner6', recover: true).drain(timeout: PATIENCE)
    closed = Array.new(3) { analyst.sessions.next(timeout: PATIENCE) }
    assert_equal sessions.map(&:id).sort, closed.map(&:id).sort
    closed.each do |session|
      assert_equal [1], session.messages.map(&:content)
      assert_equal 'drained', session.wait_closed(timeout: PATIENCE).reason
    end
  end

  def test_drain_with_a_timeout_leaves_a_session_whose_peer_does_not_read
    planner = connect('planner7')
    connect('analyst7')
    session = planner.open('analyst7')
    600.times { |n| session.send_message(n) }
    assert_equal false, planner.drain(timeout: 0.5)
    assert_equal 'agent_closed', session.wait_closed.reason
  end

  # [T10]
  def test_a_task_that_is_not_done_in_time_expires
    planner = connect('planner4')
    analyst = connect('analyst4')
    heard = Thread::Queue.new
    analyst.handle('endless') do |_, task|
      heard << task.deadline
      heard << task.wait_cancelled(PATIENCE)
    end
    task = planner.open('analyst4').request('endless', 1, deadline_ms: 200)
    error = assert_raises(Agentworks::TaskExpired) { task.result(timeout: PATIENCE) }
    assert_equal :deadline_exceeded, error.reason
    assert_in_delta Time.now.to_f, heard.pop.to_f, 10
    assert_equal true, heard.pop
  end

  def test_a_task_of_a_young_agent_waits_for_its_handler_and_then_fails
    analyst = connect('analyst5')
    session = connect('planner5').open('analyst5')
    task = session.request('later')
    # It is there when what was said after it is.
    session.send_message('asked')
    analyst.sessions.next(timeout: PATIENCE).messages.next(timeout: PATIENCE)
    analyst.handle('later') { 'in time' }
    assert_equal 'in time', task.result(timeout: PATIENCE)
  end

  def test_an_agent_that_leaves_waits_for_no_peer
    planner = connect('planner11')
    analyst = connect('analyst11')
    closed, = session_between(planner, analyst)
    left_open, = session_between(planner, analyst)
    analyst.close
    # Who comes back to it has something to read: a session that ends with nothing to read is not kept for its reader.
    [closed, left_open].each { |session| session.send_message('unread').stored(timeout: PATIENCE) }
    closed.close('done', timeout: PATIENCE)
    planner.close
    # What was closed ended as it was closed, what was not ended with its agent.
    assert_equal ['done', nil], closed.wait_closed(timeout: PATIENCE).to_a
    assert_equal 'agent_closed', left_open.wait_closed(timeout: PATIENCE).reason
    again = connect('planner11', recover: true)
    recovered = Array.new(2) { again.sessions.next(timeout: PATIENCE).id }
    assert_equal [closed.id, left_open.id].sort, recovered.sort
    assert again.drain(timeout: PATIENCE)

    peer = connect('analyst11', recover: true)
    reasons = Array.new(2) do
      session = peer.sessions.next(timeout: PATIENCE)
      assert_equal 'unread', session.messages.next(timeout: PATIENCE).content
      session.wait_closed(timeout: PATIENCE).reason
    end
    assert_equal %w[done drained], reasons.sort
  end

  def test_an_agent_that_leaves_at_once_closes_what_an_earlier_life_left_open
    planner = connect('planner12')
    analyst = connect('analyst12')
    session, = session_between(planner, analyst)
    analyst.close
    again = connect('analyst12', recover: true)
    assert again.drain(timeout: PATIENCE)
    assert_nil session.wait_closed(timeout: PATIENCE).error
  end
end
