# frozen_string_literal: true

# How connections and sessions begin and end: offers, closing, draining, and whoever comes second.
require_relative 'support/stage'

class LifeTest < AgentTest
  def test_open_says_what_is_wrong_with_the_peer
    planner = connect('planner')
    Stage.credentials('sleeper')
    assert_equal(:agent_offline, reason_of { planner.open('sleeper') })
    assert_equal(:agent_unknown, reason_of { planner.open('nobody') })
    assert_equal(:self_session, reason_of { planner.open('planner') })
    assert_equal(:invalid_argument, reason_of { planner.open('No Agent') })
    assert_equal(:invalid_argument, reason_of { planner.open })
    assert_equal(:invalid_argument, reason_of { planner.open('sleeper', wait_ms: -1) })
    assert_equal(:timed_out, reason_of { planner.open('sleeper', wait_ms: 60_000, timeout: 0.2) })
    error = assert_raises(Agentworks::NotFound) { planner.open('nobody') }
    assert_equal [:not_found, false, :no], [error.code, error.retryable?, error.processed]
  end

  # [N14]
  def test_an_offer_that_nobody_takes_in_time_expires
    planner = connect('planner')
    Stage.credentials('sleeper')
    assert_equal(:offer_expired, reason_of { planner.open('sleeper', wait_ms: 50) })
  end

  # [N15]
  def test_open_by_capability_says_who_took_it_and_waits_for_room
    planner = connect('planner')
    assert_equal(:capability_unknown, reason_of { planner.open(capability: 'nobody-can') })
    assert_equal(:invalid_argument, reason_of { planner.open(capability: 'No Name') })
    connect('analyst').handle('summarize', max_concurrency: 1) { |text, _| "short #{text}" }
    session = planner.open(capability: 'summarize', metadata: 'please')
    assert_equal 'analyst', session.peer
    assert_equal 'short story', session.request('summarize', 'story').result(timeout: PATIENCE)
    assert_equal(:capability_busy, reason_of { planner.open(capability: 'summarize') })
    waiting = Thread.new { planner.open(capability: 'summarize', wait_ms: 30_000, timeout: PATIENCE) }
    session.close
    assert_equal 'analyst', waiting.value.peer
  end

  # [N14]
  def test_with_wait_ms_open_waits_for_a_peer_that_comes_later
    planner = connect('planner')
    Stage.credentials('analyst')
    opening = Thread.new { planner.open('analyst', wait_ms: 30_000, timeout: PATIENCE) }
    analyst = connect('analyst')
    assert_equal opening.value.id, analyst.sessions.next(timeout: PATIENCE).id
  end

  def test_open_with_a_block_closes_at_its_end_also_when_it_raises
    planner = connect('planner')
    analyst = connect('analyst')
    sessions = []
    assert_equal :given_back, (planner.open('analyst') { |session| :given_back.tap { sessions << session } })
    assert_raises(ZeroDivisionError) { planner.open('analyst') { |session| (sessions << session) && 1 / 0 } }
    sessions.each { |session| assert_equal 'closed', session.wait_closed(timeout: PATIENCE).reason }
    # Those that ended and left nothing to read are not kept for a reader.
    eventually('no session is kept') { analyst.sessions.size.zero? }
  end

  def test_accept_judges_an_offer_by_peer_and_metadata
    planner = connect('planner')
    connect('analyst', accept: ->(offer) { (offer.peer == 'planner' && offer.metadata == 'please') || 'say please' })
    error = assert_raises(Agentworks::FailedPrecondition) { planner.open('analyst') }
    assert_equal :offer_rejected, error.reason
    assert_match(/say please/, error.detail)
    assert_equal 'analyst', planner.open('analyst', metadata: 'please').peer
  end

  def test_accept_that_raises_or_never_answers_rejects_or_lets_expire_and_stops_nothing_else
    planner = connect('planner')
    analyst = connect('analyst', accept: lambda { |offer|
      raise 'no idea' if offer.metadata == 'raise'

      offer.metadata == 'hang' ? sleep : true
    })
    statuses = analyst.status
    assert_equal(:offer_rejected, reason_of { planner.open('analyst', metadata: 'raise') })
    assert_match(/no idea/, await_status(statuses, :fault).error.detail)
    assert_equal(:offer_expired, reason_of { planner.open('analyst', metadata: 'hang', wait_ms: 100) })
    assert_equal 'analyst', planner.open('analyst').peer
  ensure
    Thread.list.each { |thread| thread.kill if thread.name&.start_with?('agentworks accept') }
  end

  def test_agents_lists_who_can_do_what_and_handle_may_be_called_again
    planner = connect('planner')
    analyst = connect('analyst')
    analyst.handle('analyze', description: 'reads') { 1 }
    analyst.handle('sum') { 2 }
    analyst.handle('analyze', description: 'reads well', version: '2') { 1 }
    found = planner.agents(capability: 'analyze')
    assert_equal(['analyst'], found.map(&:agent))
    assert found.first.connected?
    assert_equal [{ 'name' => 'analyze', 'description' => 'reads well', 'version' => '2' }, { 'name' => 'sum' }], found.first.capabilities
    assert_empty %w[planner analyst] - planner.agents.map(&:agent)
    assert_equal(:invalid_argument, reason_of { analyst.handle('Bad Name') { 1 } })
    assert_equal(:invalid_argument, reason_of { analyst.handle('good', max_concurrency: 0) { 1 } })
    assert_equal(:invalid_argument, reason_of { analyst.handle('good', colour: 'red') { 1 } })
    assert_equal(:invalid_argument, reason_of { analyst.handle('good') })
  end

  def test_close_lets_what_was_sent_before_arrive_then_ends_both_sides_with_its_reason
    here, there = session_between(connect('planner'), connect('analyst'))
    here.send_message(1)
    here.send_message(2)
    here.close('done')
    assert_equal(:session_closed, reason_of { here.send_message(3) })
    assert_equal [1, 2], there.messages.map(&:content)
    assert_equal(%w[done done], [here, there].map { |one| one.wait_closed(timeout: PATIENCE).reason })
    assert here.closed?
    assert_nil here.wait_closed.error
    assert_equal(:session_closed, reason_of { there.send_message(4) })
    assert_equal(:session_closed, reason_of { there.wait_ready })
    assert_raises(StopIteration) { there.messages.next }
    here.close
  end

  def test_both_sides_may_close_at_the_same_time
    both = session_between(connect('planner'), connect('analyst'))
    both.map { |side| Thread.new { side.close('now', timeout: PATIENCE) } }.each(&:join)
    both.each { |side| assert_nil side.wait_closed(timeout: PATIENCE).error }
  end

  def test_closing_cancels_what_the_peer_runs_and_fails_what_was_asked
    heard = Thread::Queue.new
    connect('analyst').handle('wait') do |_, task|
      task.wait_cancelled(PATIENCE)
      task.check_cancelled
    rescue Agentworks::Error => e
      heard << e.reason
    end
    session = connect('planner').open('analyst')
    task = session.request('wait')
    task.delivered(timeout: PATIENCE)
    session.close
    assert_equal :session_closed, heard.pop
    assert_equal(:session_closed, reason_of { task.result(timeout: PATIENCE) })
  end

  # [C4]
  def test_the_second_connection_with_a_certificate_supersedes_the_first_which_stays_away
    first = connect('planner')
    analyst = connect('analyst')
    session = first.open('analyst')
    statuses = first.status
    second = connect('planner')
    lost = await_status(statuses, :disconnected)
    assert_equal [4409, false], [lost.code, lost.will_reconnect]
    await_status(statuses, :superseded)
    assert_equal(:superseded, reason_of { session.messages.next(timeout: PATIENCE) })
    assert_equal(:superseded, session.wait_closed(timeout: PATIENCE).error.reason)
    assert_equal(:superseded, reason_of { first.open('analyst') })
    assert_equal(:superseded, reason_of { first.join(timeout: PATIENCE) })
    assert_equal 'analyst', second.open(analyst.id).peer
  end

  def test_drain_refuses_what_is_new_lets_running_handlers_end_and_leaves_nothing_unsaid
    planner = connect('planner')
    analyst = connect('analyst')
    go = Thread::Queue.new
    analyst.handle('work') do |_, task|
      go.pop
      task.session.send_message('last words')
      'done'
    end
    session = planner.open('analyst')
    task = session.request('work')
    task.delivered(timeout: PATIENCE)
    drained = Thread.new { analyst.drain }
    eventually('the drain has begun') { reason_of { analyst.open('planner') } == :agent_draining }
    error = assert_raises(Agentworks::TaskFailed) { session.request('work').result(timeout: PATIENCE) }
    assert_equal [:agent_draining, true], [error.reason, error.retryable?]
    assert_equal(:offer_rejected, reason_of { planner.open('analyst') })
    go << nil
    assert_equal 'done', task.result(timeout: PATIENCE)
    assert_equal 'last words', session.messages.next(timeout: PATIENCE).content
    assert_equal true, drained.value
    assert_equal 'drained', session.wait_closed(timeout: PATIENCE).reason
    assert_equal(:agent_offline, reason_of { planner.open('analyst') })
  end

  def test_drain_with_a_timeout_leaves_a_handler_that_never_returns
    planner = connect('planner')
    analyst = connect('analyst')
    release = Thread::Queue.new
    analyst.handle('endless') { release.pop }
    task = planner.open('analyst').request('endless')
    task.delivered(timeout: PATIENCE)
    assert_equal false, analyst.drain(timeout: 0.1)
    assert_equal(:timed_out, reason_of { task.result(timeout: 0.05) })
    release << nil
  end

  def test_close_ends_everything_at_once
    planner = connect('planner')
    connect('analyst').handle('wait') { |_, task| task.wait_cancelled(PATIENCE) }
    session = planner.open('analyst')
    statuses = planner.status
    task = session.request('wait')
    task.delivered(timeout: PATIENCE)
    receipt = session.send_message('never stored')
    waiting = Thread.new { reason_of { task.result } }
    planner.close
    assert_equal :agent_closed, waiting.value
    assert_equal(:agent_closed, reason_of { receipt.delivered })
    assert_equal [], session.messages.to_a
    assert_equal 'agent_closed', session.wait_closed.reason
    assert_same session, await_status(statuses, :session_closed).session
    assert_equal [], statuses.to_a
    assert_equal [], planner.sessions.to_a
    assert_equal planner, planner.join
    assert_equal(:agent_closed, reason_of { planner.agents })
    assert_equal(:agent_closed, reason_of { planner.handle('late') { 1 } })
    planner.close
  end

  def test_connect_with_a_block_drains_at_its_end_and_closes_at_once_when_it_raises
    given = { **Stage.credentials('planner'), recover: false, timeout: PATIENCE }
    kept = nil
    connect('analyst')
    result = Agentworks.connect(**given) do |agent|
      kept = agent.open('analyst').send_message('on the way out')
      :given_back
    end
    assert_equal :given_back, result
    assert kept.stored?
    assert_raises(ZeroDivisionError) { Agentworks.connect(**given) { |agent| (kept = agent) && 1 / 0 } }
    assert_equal(:agent_closed, reason_of { kept.open('analyst') })
    assert_raises(Interrupt) { Agentworks.connect(**given) { raise Interrupt } }
  end

  def test_serve_ends_at_an_interrupt_without_an_error
    planner = connect('planner')
    serving = Thread.new { planner.serve }
    Thread.pass until serving.status == 'sleep'
    serving.raise(Interrupt)
    assert_same planner, serving.value
  end

  def test_a_status_reader_that_is_closed_hears_no_more
    planner = connect('planner')
    connect('analyst')
    closed = planner.status
    open = planner.status
    closed.close
    planner.open('analyst')
    assert_equal 'analyst', await_status(open, :session_opened).session.peer
    assert_equal [], closed.to_a
  end
end
