# frozen_string_literal: true

# Connections that break, on both paths: the work goes on where it stood, nothing lost, nothing twice, nothing out of order.
require_relative 'support/stage'

module BreakingConnections
  PATIENCE = AgentTest::PATIENCE

  def test_messages_in_both_directions_survive_cut_sockets_of_both_ends
    cables = [lay_cable, lay_cable]
    planner = connect('planner', cable: cables[0], direct: direct?)
    analyst = connect('analyst', cable: cables[1], direct: direct?)
    here, there = session_between(planner, analyst)
    statuses = planner.status
    count = 3_000
    sent = Array.new(count) { |n| [here.send_message(n), there.send_message(count + n)] }
    got = [[], []]
    count.times do |n|
      # Both ends, each a few times, at moments that have nothing to do with frames.
      cables[0].cut if n % 701 == 350
      cables[1].cut if n % 701 == 700
      got[0] << there.messages.next(timeout: PATIENCE).content
      got[1] << here.messages.next(timeout: PATIENCE).content
    end
    assert_equal((0...count).to_a, got[0])
    assert_equal((count...(2 * count)).to_a, got[1])
    assert_equal((1..count).to_a, sent.map { |receipt, _| receipt.stored(timeout: PATIENCE).seq })
    assert await_status(statuses, :disconnected).will_reconnect
    sent.last.first.delivered(timeout: PATIENCE)
  end

  def test_a_task_outlives_the_sockets_of_both_ends
    cables = [lay_cable, lay_cable]
    planner = connect('planner', cable: cables[0], direct: direct?).handle('read') { |part| part }
    runs = 0
    connect('analyst', cable: cables[1], direct: direct?).handle('analyze') do |_, task|
      runs += 1
      Array.new(30) do |part|
        cables[1].cut if part % 10 == 3
        cables[0].cut if part % 10 == 6
        task.session.request('read', part).result(timeout: PATIENCE).tap { task.progress(part) }
      end
    end
    task = planner.open('analyst').request('analyze')
    assert_equal((0...30).to_a, task.each_progress.to_a)
    assert_equal [(0...30).to_a, 1], [task.result(timeout: PATIENCE), runs]
  end

  def test_a_session_opened_while_there_is_no_connection_opens_when_there_is_one_again
    cable = lay_cable
    planner = connect('planner', cable: cable, direct: direct?)
    analyst = connect('analyst', direct: direct?)
    statuses = planner.status
    cable.cut
    await_status(statuses, :disconnected)
    session = planner.open('analyst', timeout: PATIENCE)
    assert_equal 1, session.send_message('hello').stored(timeout: PATIENCE).seq
    assert_equal 'hello', analyst.sessions.next(timeout: PATIENCE).messages.next(timeout: PATIENCE).content
  end

  # [C8]
  def test_drained_by_the_broker_an_agent_is_back_within_a_second_and_loses_nothing
    planner = connect('planner', direct: direct?)
    # The usual waits: not those that the other tests shorten.
    analyst = connect('analyst', direct: direct?, reconnect: {})
    here, there = session_between(planner, analyst)
    500.times { |n| here.send_message(n) }
    got = take(there.messages, 100)
    statuses = analyst.status
    started = Agentworks::Clock.now
    assert_equal 'analyst', Stage.admin(:Post, '/v1/agents/analyst/drain')['agent_id']
    assert_equal 'draining', await_status(statuses, :goaway).reason
    lost = await_status(statuses, :disconnected)
    assert_equal [4503, true], [lost.code, lost.will_reconnect]
    await_status(statuses, :connected)
    here.send_message('after the drain')
    got += take(there.messages, 401)
    assert_operator Agentworks::Clock.now - started, :<, 2
    assert_equal [*0...500, 'after the drain'], got.map(&:content)
  end
end

class MultiplexedFailuresTest < AgentTest
  include BreakingConnections

  def direct?
    false
  end

  def test_two_sessions_at_once_on_one_connection_keep_their_own_order
    planner = connect('planner')
    one = session_between(planner, connect('analyst'))
    two = session_between(planner, connect('writer'))
    1_000.times { |n| [one, two].each { |here, _| here.send_message(n) } }
    readers = [one, two].map { |_, there| Thread.new { take(there.messages, 1_000).map(&:content) } }
    readers.each { |reader| assert_equal (0...1_000).to_a, reader.value }
  end

  # [H2]
  def test_a_broker_that_falls_silent_is_given_up_after_the_heartbeats_time_and_found_again
    cable = lay_cable
    planner = connect('planner', cable: cable, timing: timing(heartbeat_interval: 0.1, heartbeat_timeout: 0.4))
    here, there = session_between(planner, connect('analyst'))
    statuses = planner.status
    cable.freeze_traffic
    receipt = here.send_message('into the silence')
    lost = await_status(statuses, :disconnected)
    assert_equal [4512, true], [lost.code, lost.will_reconnect]
    cable.thaw_traffic
    await_status(statuses, :connected)
    assert_equal 1, receipt.stored(timeout: PATIENCE).seq
    assert_equal 'into the silence', there.messages.next(timeout: PATIENCE).content
  end

  def test_the_broker_killed_and_started_again_everything_goes_on
    here, there = session_between(connect('planner'), connect('analyst'))
    receipts = Array.new(600) { |n| here.send_message(n) }
    got = take(there.messages, 100)
    Stage.restart
    got += take(there.messages, 500)
    assert_equal (0...600).to_a, got.map(&:content)
    receipts.each { |receipt| receipt.stored(timeout: PATIENCE) }
  end

  def test_what_nobody_has_foreseen_ends_the_agent_and_leaves_nobody_waiting
    here, = session_between(connect('planner'), connect('analyst'))
    planner = @agents.first
    waiting = Thread.new { reason_of { here.messages.next } }
    lock, live = %i[@lock @live].map { |name| planner.instance_variable_get(name) }
    lock.synchronize { live.loop.after(0) { raise ArgumentError, 'a bug' } }
    assert_equal :client_failed, waiting.value
    error = assert_raises(Agentworks::Internal) { planner.join(timeout: PATIENCE) }
    assert_match(/please report it. \(ArgumentError: a bug/, error.detail)
  end

  def test_with_reconnect_false_one_loss_is_the_end
    cable = lay_cable
    planner = connect('planner', cable: cable, reconnect: false)
    cable.cut
    assert_equal(:connection_failed, reason_of { planner.join(timeout: PATIENCE) })
  end
end

class DirectFailuresTest < AgentTest
  include BreakingConnections

  def direct?
    true
  end

  def test_a_direct_session_has_a_socket_of_its_own
    cable = lay_cable
    here, there = session_between(connect('planner', cable: cable, direct: true), connect('analyst'))
    here.send_message('over either path')
    assert_equal 'over either path', there.messages.next(timeout: PATIENCE).content
    eventually('two sockets') { cable.open_count == 2 }
  end
end
