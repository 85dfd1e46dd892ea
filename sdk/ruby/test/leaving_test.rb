# frozen_string_literal: true

# Who leaves in the midst of something: a session that is only just accepted, messages that nobody reads.
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
end
