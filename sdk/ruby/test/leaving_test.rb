# frozen_string_literal: true

# Who leaves in the midst of something: a session that is only just accepted.
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

  private

  def live(agent)
    agent.instance_variable_get(:@live)
  end
end
