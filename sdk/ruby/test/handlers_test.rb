# frozen_string_literal: true

# What handlers do that nobody expects, and what is kept of tasks that nobody waits for any more.
require_relative 'support/stage'

class HandlersTest < AgentTest
  # One that says nothing when it is asked.
  class Mute < RuntimeError
    def message
      raise 'no message either'
    end
  end

  class Odd < RuntimeError
    def message
      BasicObject.new
    end
  end

  # What no `rescue` without a name catches.
  class Severe < Exception # rubocop:disable Lint/InheritException
  end

  def test_whatever_a_handler_raises_fails_its_task_with_what_can_be_read_of_it
    raised = {
      'mute' => [-> { raise Mute }, 'HandlersTest::Mute'],
      'odd' => [-> { raise Odd }, 'HandlersTest::Odd'],
      'severe' => [-> { raise Severe, 'it is' }, 'it is'],
      'exit' => [-> { exit }, 'exit'],
      'abort' => [-> { raise SystemExit.new(1, 'no configuration') }, 'no configuration'],
      'interrupt' => [-> { raise Interrupt, 'not by a person' }, 'not by a person'],
      'recursion' => [-> { deep(0) }, 'stack level too deep'],
      'utf16' => [-> { raise 'größer'.encode(Encoding::UTF_16LE) }, 'größer'],
      'binary' => [-> { raise "caf\xC3\xA9 \xff".b }, 'café �'],
      'utf7' => [-> { raise 'plus'.dup.force_encoding(Encoding::UTF_7) }, 'RuntimeError'],
      'empty' => [-> { raise '' }, 'RuntimeError']
    }
    said = perform(raised.transform_values(&:first))
    assert_equal(raised.transform_values { |_, message| { 'reason' => 'handler_failed', 'message' => message } }, said)
  end

  def test_whatever_a_task_failed_says_of_itself_can_be_sent
    failed = ->(*detail, **more) { -> { raise Agentworks::TaskFailed.new(*detail, **more) } }
    said = perform(
      'nil' => failed.call(nil, reason: nil), 'binary' => failed.call("caf\xC3\xA9 \xff".b), 'number' => failed.call(7, reason: :seven),
      'truthy' => failed.call('later', retryable: 'yes'), 'object' => failed.call('never', retryable: Object.new),
      'false' => failed.call('no', retryable: false), 'long' => failed.call('x' * 9000, reason: 'r' * 200),
      'reason' => failed.call('why', reason: "caf\xC3".b)
    )
    assert_equal({ 'reason' => 'handler_failed', 'message' => 'The performer said no more.' }, said['nil'])
    assert_equal({ 'reason' => 'failed', 'message' => 'café �' }, said['binary'])
    assert_equal({ 'reason' => 'seven', 'message' => '7' }, said['number'])
    assert_equal([nil, nil, false], %w[truthy object false].map { |name| said[name]['retryable'] })
    assert_equal([128, 8192], said['long'].values.map(&:length))
    assert_equal 'caf�', said['reason']['reason']
  end

  # The broker counts characters as Ruby does: an emoji is one.
  def test_long_texts_of_emoji_are_cut_to_what_the_broker_takes
    analyst = connect('analyst30')
    analyst.handle('fails') { raise '😀' * 9000 }
    session, there = session_between(connect('planner30'), analyst)
    error = assert_raises(Agentworks::TaskFailed) { session.request('fails').result(timeout: PATIENCE) }
    assert_equal 8192, error.detail.length
    session.close('😀' * 1025)
    assert_equal '😀' * 1024, there.wait_closed(timeout: PATIENCE).reason
  end

  def test_whatever_accept_does_the_offer_has_an_answer_at_once
    does = {
      'mute' => -> { raise Mute }, 'severe' => -> { raise Severe, 'it is' }, 'exit' => -> { exit }, 'ends' => -> { Thread.exit },
      'binary' => -> { "caf\xC3\xA9 \xff".b }, 'utf16' => -> { 'größer'.encode(Encoding::UTF_16LE) }
    }
    analyst = connect('analyst34', accept: ->(offer) { offer.metadata.nil? || does.fetch(offer.metadata).call })
    planner = connect('planner34')
    details = does.to_h do |name, _|
      error = assert_raises(Agentworks::FailedPrecondition, name) { planner.open('analyst34', metadata: name, timeout: 5) }
      assert_equal :offer_rejected, error.reason
      [name, error.detail]
    end
    assert_equal(['café �', 'größer'], details.values_at('binary', 'utf16').map { |detail| detail[/\((.*)\)/, 1] })
    assert_equal 'analyst34', planner.open('analyst34', timeout: PATIENCE).peer
    refute analyst.instance_variable_get(:@live).refusal
  end

  def test_reasons_are_said_as_text_whatever_bytes_they_have
    analyst = connect('analyst35')
    heard = Thread::Queue.new
    analyst.handle('wait') do |_, task|
      heard << true
      task.wait_cancelled(PATIENCE)
      task.check_cancelled
    rescue Agentworks::TaskCancelled => e
      heard << e.detail
    end
    here, there = session_between(connect('planner35'), analyst)
    task = here.request('wait')
    heard.pop
    task.cancel("caf\xC3\xA9 \xff".b)
    assert_equal 'café �', heard.pop
    here.close("caf\xC3".b)
    assert_equal 'caf�', there.wait_closed(timeout: PATIENCE).reason
  end

  def test_a_block_that_is_left_is_no_trap
    analyst = connect('analyst31')
    leave_by_break(analyst)
    leave_by_return(analyst)
    analyst.handle('next') { |input, _| next input * 2 }
    session = connect('planner31').open('analyst31')
    assert_equal 4, session.request('next', 2).result(timeout: PATIENCE)
    assert_equal([/break/, /return/], %w[break return].map do |name|
      error = assert_raises(Agentworks::TaskFailed) { session.request(name).result(timeout: PATIENCE) }
      assert_equal 'handler_failed', error.error['reason']
      error.detail[/break|return/].then { |word| /#{word}/ }
    end)
  end

  def test_a_waiting_task_that_nobody_wants_any_more_is_forgotten_at_once
    analyst = connect('analyst32')
    go = Thread::Queue.new
    analyst.handle('one', max_concurrency: 1) { go.pop }
    planner = connect('planner32')
    blocker = planner.open('analyst32').request('one')
    blocker.delivered(timeout: PATIENCE)
    session = planner.open('analyst32')
    100.times.map { session.request('one').cancel }.each { |task| reason_of { task.result(timeout: PATIENCE) } }
    assert_operator performances, :<, 20
    100.times { session.request('one') }
    eventually('they wait') { performances >= 100 }
    session.close
    session.wait_closed(timeout: PATIENCE)
    assert_operator performances, :<, 20
    go << 'done'
    assert_equal 'done', blocker.result(timeout: PATIENCE)
  end

  def test_a_task_that_is_cancelled_before_its_handler_came_is_forgotten_too
    lock = Mutex.new
    loop = Agentworks::EventLoop.new(lock, 'handlers', turn: -> {}, failed: ->(error) { raise error })
    ran = Thread::Queue.new
    job = ->(name) { Struct.new(:ran, :name) { def run(_) = ran << name }.new(ran, name) }
    lock.synchronize do
      handlers = Agentworks::Handlers.new(lock, loop)
      jobs = %w[kept dropped].map { |name| job.call(name).tap { |one| handlers.submit('later', one) } }
      handlers.withdraw('later', jobs.last)
      handlers.add('later', -> {}, {})
    end
    assert_equal 'kept', ran.pop
    assert ran.empty?
  ensure
    lock.synchronize { loop.stop }
    loop.join
  end

  private

  # @return [Hash] name → what the requester was told; the session lives to the end of it
  def perform(handlers)
    analyst = connect('analyst33')
    handlers.each { |name, body| analyst.handle(name) { body.call } }
    analyst.handle('last') { 'still there' }
    session = connect('planner33').open('analyst33')
    said = handlers.to_h do |name, _|
      [name, assert_raises(Agentworks::TaskFailed, name) { session.request(name).result(timeout: PATIENCE) }.error]
    end
    assert_equal 'still there', session.request('last').result(timeout: PATIENCE)
    said
  end

  def deep(level)
    deep(level + 1) + 1
  end

  def leave_by_break(agent)
    agent.handle('break') { break 1 }
  end

  def leave_by_return(agent)
    agent.handle('return') { return 1 }
  end

  def performances
    GC.start
    ObjectSpace.each_object(Agentworks::Performance).count
  end
end
