# frozen_string_literal: true

# Who leaves in the midst of something: an offer that nobody has answered, a session that is only just accepted, messages that nobody reads.
require_relative 'support/stage'

class LeavingTest < AgentTest
  def setup
    super
    @folder = Dir.mktmpdir('agentworks-leaving-')
  end

  def teardown
    super
  ensure
    FileUtils.rm_rf(@folder)
  end

  def test_a_session_that_is_closed_before_the_broker_has_confirmed_it_leaves_a_journal_that_can_be_read
    journal = File.join(@folder, 'journal')
    cable = lay_cable
    judging = Thread::Queue.new
    verdict = Thread::Queue.new
    analyst = connect('analyst20', cable: cable, recover: true, journal: journal, accept: ->(_) { (judging << true) && verdict.pop })
    opening = Thread.new { connect('planner20').open('analyst20', wait_ms: 60_000, timeout: PATIENCE) }
    judging.pop
    # Its SESSION_ACCEPT has no answer as long as nothing passes.
    cable.freeze_traffic
    verdict << true
    eventually('the offer is accepted here') { live(analyst).sessions.any? }
    drained = Thread.new { analyst.drain(timeout: PATIENCE) }
    eventually('the close is queued') { live(analyst).sessions.any? { |session| session.close('drained') } }
    cable.thaw_traffic
    assert drained.value
    assert_equal 'drained', opening.value.wait_closed(timeout: PATIENCE).reason

    connect('analyst20', recover: true, journal: journal)
    eventually('the journal forgets what has ended') { Agentworks::JournalMemory.read(File.binread(journal), '').sessions.empty? }
  end

  def test_a_reader_that_closes_its_session_and_leaves_lets_it_end
    analyst = connect('analyst21')
    planner = connect('planner21')
    leave = {
      break: ->(session) { session.messages.each { break session.close('enough') } },
      return: ->(session) { close_and_return(session) },
      throw: ->(session) { catch(:out) { session.messages.each { session.close('enough').then { throw :out } } } },
      raise: ->(session) { assert_raises(IOError) { session.messages.each { session.close('enough').then { raise IOError } } } },
      find: ->(session) { session.messages.find { session.close('enough') } }
    }
    leave.each do |how, read|
      here, there = session_between(planner, analyst)
      3.times { |n| here.send_message(n) }
      eventually('all have come') { there.messages.size == 3 }
      read.call(there)
      assert_equal(%w[enough enough], [there, here].map { |side| side.wait_closed(timeout: 5).reason }, how)
    end
  end

  def test_of_two_readers_the_one_that_stays_has_what_is_left_after_the_close
    here, there = session_between(connect('planner22'), connect('analyst22'))
    5.times { |n| here.send_message(n) }
    eventually('all have come') { there.messages.size == 5 }
    began = Thread::Queue.new
    go = Thread::Queue.new
    staying = Thread.new do
      there.messages.map do |message|
        began << true
        go.pop
        message.content
      end
    end
    began.pop
    there.messages.each { break there.close('enough') }
    4.times { go << true }
    assert_equal [0, 2, 3, 4], staying.value
    assert_equal 'enough', there.wait_closed(timeout: PATIENCE).reason
  end

  def test_drain_ends_an_open_that_waits_for_its_peer_and_waits_for_none
    planner = connect('planner23')
    Stage.credentials('sleeper23')
    opening = offer(planner, 'sleeper23')
    assert planner.drain(timeout: 5)
    assert_equal :agent_draining, opening.value
  end

  def test_drain_does_not_wait_for_the_peer_of_an_open_that_had_timed_out
    planner = connect('planner24')
    Stage.credentials('sleeper24')
    assert_equal(:timed_out, reason_of { planner.open('sleeper24', wait_ms: 60_000, timeout: 0.05) })
    assert planner.drain(timeout: 5)
  end

  # [N15]
  def test_drain_ends_an_open_that_waits_for_room
    planner = connect('planner25')
    connect('analyst25').handle('scarce', max_concurrency: 1) { 1 }
    planner.open(capability: 'scarce')
    pausing = Thread::Queue.new
    live(planner).define_singleton_method(:pause) { |seconds| (pausing << seconds) && super(60) }
    opening = Thread.new { reason_of { planner.open(capability: 'scarce', wait_ms: 60_000) } }
    pausing.pop
    assert planner.drain(timeout: 5)
    assert_equal :agent_draining, opening.value
  end

  def test_the_session_of_a_peer_that_accepts_while_the_agent_drains_ends
    planner = connect('planner26')
    go = Thread::Queue.new
    planner.handle('work') { go.pop }
    connect('asker26').open('planner26').request('work').delivered(timeout: PATIENCE)
    Stage.credentials('sleeper26')
    opening = offer(planner, 'sleeper26')
    drained = Thread.new { planner.drain(timeout: PATIENCE) }
    # At once, not when the handler has ended.
    assert_equal :agent_draining, opening.value
    assert drained.alive?
    verdict = Thread::Queue.new
    sleeper = connect('sleeper26', accept: ->(_) { verdict.pop })
    statuses = sleeper.status
    verdict << true
    assert_equal 'abandoned', await_status(statuses, :session_closed).reason
    go << nil
    assert drained.value
  end

  def test_the_session_of_a_peer_that_accepts_after_the_drain_is_the_next_lifes
    journal = File.join(@folder, 'journal')
    planner = connect('planner27', recover: true, journal: journal)
    Stage.credentials('sleeper27')
    opening = offer(planner, 'sleeper27')
    assert planner.drain(timeout: 5)
    assert_equal :agent_draining, opening.value
    theirs = connect('sleeper27').sessions.next(timeout: PATIENCE)
    again = connect('planner27', recover: true, journal: journal)
    recovered = again.sessions.next(timeout: PATIENCE)
    assert_equal [theirs.id, true], [recovered.id, recovered.recovered?]
    recovered.close('not needed')
    assert_equal 'not needed', theirs.wait_closed(timeout: PATIENCE).reason
  end

  private

  def live(agent)
    agent.instance_variable_get(:@live)
  end

  def close_and_return(session)
    session.messages.each do
      session.close('enough')
      return
    end
  end

  # An offer that the broker has. @return [Thread] its value is why it was not accepted
  def offer(agent, peer)
    opening = Thread.new { reason_of { agent.open(peer, wait_ms: 60_000) } }
    eventually('it is offered') { live(agent).sessions.any? }
    # What is asked later is answered later.
    agent.agents
    opening
  end
end
