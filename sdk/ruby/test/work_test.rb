# frozen_string_literal: true

# Work through the real broker, over real TLS: messages, tasks, back-pressure.
require_relative 'support/stage'

class WorkTest < AgentTest
  def test_an_agent_is_who_its_certificate_says
    agent = connect('planner')
    assert_equal %w[planner local], [agent.id, agent.account]
  end

  def test_messages_arrive_in_order_each_with_its_receipts
    here, there = session_between(connect('planner'), connect('analyst'))
    receipts = ['a', { b: [1] }, nil, 'ä€😀'].map { |content| here.send_message(content) }
    assert_equal [1, 2, 3, 4], receipts.map { |receipt| receipt.stored(timeout: PATIENCE).seq }
    got = take(there.messages, 4)
    assert_equal [['a', 1], [{ 'b' => [1] }, 2], [nil, 3], ['ä€😀', 4]], got.map { |message| [message.content, message.seq] }
    assert_equal receipts.map(&:id), got.map(&:id)
    refute got.first.redelivered?
    receipts.last.delivered(timeout: PATIENCE)
    assert(receipts.all?(&:delivered?))
  end

  def test_a_task_gives_progress_and_a_result
    connect('analyst').handle('analyze', description: 'reads') do |input, task|
      task.progress(1)
      task.progress(2)
      { input: input, requester: task.requester }
    end
    session = connect('planner').open('analyst')
    assert_equal [{ 'name' => 'analyze', 'description' => 'reads' }], session.capabilities
    task = session.request('analyze', 'text')
    steps = []
    assert_same task, task.each_progress { |step| steps << step }
    assert_equal [1, 2], steps
    assert_equal({ 'input' => 'text', 'requester' => 'planner' }, task.result(timeout: PATIENCE))
    assert task.done?
    assert_equal 1, task.stored.seq
    task.delivered(timeout: PATIENCE)
  end

  def test_while_it_works_the_performer_asks_the_requester_back_in_the_same_session
    planner = connect('planner').handle('read') { |part| "part #{part}" }
    connect('analyst').handle('analyze') do |_, task|
      [1, 2].map { |part| task.session.request('read', part).result(timeout: PATIENCE) }
    end
    assert_equal ['part 1', 'part 2'], planner.open('analyst').request('analyze').result(timeout: PATIENCE)
  end

  def test_a_cancel_is_heard_by_the_handler_and_the_requester_gets_task_cancelled
    heard = Thread::Queue.new
    connect('analyst').handle('wait') do |_, task|
      task.on_cancel { |error| heard << error }
      assert task.wait_cancelled(PATIENCE)
      task.check_cancelled
    end
    task = connect('planner').open('analyst').request('wait')
    task.delivered(timeout: PATIENCE)
    task.cancel('changed my mind')
    assert_raises(Agentworks::TaskCancelled) { task.result(timeout: PATIENCE) }
    error = heard.pop
    assert_equal [:task_cancelled, 'changed my mind'], [error.reason, error.detail]
  end

  def test_a_result_in_flight_wins_over_the_cancel
    connect('analyst').handle('stubborn') do |_, task|
      task.wait_cancelled
      'done all the same'
    end
    task = connect('planner').open('analyst').request('stubborn')
    task.delivered(timeout: PATIENCE)
    assert_equal 'done all the same', task.cancel.result(timeout: PATIENCE)
  end

  def test_what_a_handler_raises_fails_the_task_with_its_reason_and_without_a_stack
    analyst = connect('analyst')
    analyst.handle('raises') { raise 'no luck' }
    analyst.handle('fails') { raise Agentworks::TaskFailed.new('try a smaller one', reason: 'too_hard', retryable: true) }
    analyst.handle('not_written') { raise NotImplementedError, 'later' }
    analyst.handle('bytes') { raise "bad \xff byte" }
    analyst.handle('ends') { Thread.exit }
    analyst.handle('throws') { throw :nowhere }
    session = connect('planner').open('analyst')
    error_of = lambda do |name|
      session.request(name).result(timeout: PATIENCE)
    rescue Agentworks::TaskFailed => e
      e.error
    end
    assert_equal({ 'reason' => 'handler_failed', 'message' => 'no luck' }, error_of.call('raises'))
    assert_equal({ 'reason' => 'too_hard', 'message' => 'try a smaller one', 'retryable' => true }, error_of.call('fails'))
    assert_equal({ 'reason' => 'handler_failed', 'message' => 'later' }, error_of.call('not_written'))
    assert_equal({ 'reason' => 'handler_failed', 'message' => 'bad � byte' }, error_of.call('bytes'))
    assert_equal({ 'reason' => 'handler_failed', 'message' => 'The handler ended its thread.' }, error_of.call('ends'))
    assert_match(/uncaught throw/, error_of.call('throws')['message'])
    assert_equal 'capability_unknown', error_of.call('nobody')['reason']
  end

  def test_a_result_that_is_no_json_fails_the_task_and_says_where
    results = { 'nan' => { a: [Float::NAN] }, 'object' => [Object.new], 'bytes' => "\xff", 'time' => Time.now }
    analyst = connect('analyst')
    results.each { |name, result| analyst.handle(name) { result } }
    analyst.handle('large') { 'x' * 300_000 }
    session = connect('planner').open('analyst')
    errors = (results.keys + ['large']).to_h do |name|
      session.request(name).result(timeout: PATIENCE)
    rescue Agentworks::TaskFailed => e
      [name, e.error]
    end
    assert_equal 'At $.a[0]: JSON has no way to write NaN.', errors['nan']['message']
    assert_match(/\AAt \$\[0\]: JSON has no way to write Object: give a Hash/, errors['object']['message'])
    assert_equal 'At $: a String is not valid UTF-8.', errors['bytes']['message']
    assert_match(/Time/, errors['time']['message'])
    assert_equal(%w[invalid_argument invalid_argument invalid_argument invalid_argument envelope_too_large],
                 errors.values.map { |error| error['reason'] })
  end

  def test_a_handler_may_be_a_method_or_a_lambda_that_takes_less
    analyst = connect('analyst')
    analyst.handle('length', &:length)
    analyst.handle('constant', &-> { 42 })
    analyst.handle('twice', &->(input) { input * 2 })
    session = connect('planner').open('analyst')
    results = %w[length constant twice].map { |name| session.request(name, 'abc').result(timeout: PATIENCE) }
    assert_equal [3, 42, 'abcabc'], results
  end

  def test_asking_again_with_a_task_id_never_runs_the_task_twice
    runs = 0
    connect('analyst').handle('count') { runs += 1 }
    session = connect('planner').open('analyst')
    first = session.request('count')
    assert_same first, session.request('count', task_id: first.id)
    assert_equal 1, first.result(timeout: PATIENCE)
    assert_equal 1, session.request('count', task_id: first.id).result(timeout: PATIENCE)
    assert_equal 1, runs
    assert_equal(:task_conflict, reason_of { session.request('count', 'other', task_id: first.id).result(timeout: PATIENCE) })
  end

  def test_max_concurrency_makes_further_tasks_wait_and_a_waiting_one_can_be_cancelled
    running = Thread::Queue.new
    go = Thread::Queue.new
    connect('analyst').handle('one', max_concurrency: 1) do |input, _|
      running << input
      go.pop
      input
    end
    session = connect('planner').open('analyst')
    a, b, c = [1, 2, 3].map { |n| session.request('one', n) }
    assert_equal 1, running.pop
    b.cancel('not needed')
    assert_equal(:task_cancelled, reason_of { b.result(timeout: PATIENCE) })
    assert running.empty?
    go << nil
    assert_equal 1, a.result(timeout: PATIENCE)
    c.delivered(timeout: PATIENCE)
    go << nil
    assert_equal 3, c.result(timeout: PATIENCE)
  end

  def test_what_the_broker_would_refuse_is_refused_before_it_costs_a_seq
    here, there = session_between(connect('planner'), connect('analyst'))
    deep = 31.times.reduce(0) { |inner, _| [inner] }
    assert_equal(:envelope_too_large, reason_of { here.send_message('x' * 256 * 1024) })
    assert_equal(:envelope_too_large, reason_of { here.send_message('é' * 131_000) })
    assert_equal(:too_deep, reason_of { here.send_message(deep) })
    assert_equal(:too_deep, reason_of { here.request('analyze', deep) })
    [Object.new, Float::INFINITY, "\xff", { 1 => 2 }, Struct.new(:a).new(1), "\xff".b].each do |unsayable|
      assert_equal(:invalid_argument, reason_of { here.send_message(unsayable) }, unsayable.inspect)
    end
    assert_equal(:invalid_argument, reason_of { here.request('No Name', 1) })
    assert_equal(:invalid_argument, reason_of { here.request('ok', 1, task_id: '7') })
    assert_equal(:invalid_argument, reason_of { here.request('ok', 1, deadline_ms: -1) })
    largest = 'x' * 255 * 1024
    assert_equal 1, here.send_message(largest).stored(timeout: PATIENCE).seq
    assert_equal 2, here.send_message(deep.first).stored(timeout: PATIENCE).seq
    assert_equal [largest, deep.first], take(there.messages, 2).map(&:content)
  end

  def test_an_object_with_a_to_json_of_its_own_is_sent_as_it_says
    money = Struct.new(:amount) do
      def to_json(*)
        "{\"amount\":#{amount}}"
      end
    end
    here, there = session_between(connect('planner'), connect('analyst'))
    here.send_message([money.new(3)])
    assert_equal [{ 'amount' => 3 }], there.messages.next(timeout: PATIENCE).content
  end

  def test_a_reader_that_does_not_read_holds_the_sender_and_everything_arrives_when_it_reads
    here, there = session_between(connect('planner'), connect('analyst'))
    count = 2_000
    receipts = Array.new(count) { |n| here.send_message(n) }
    receipts[511].stored(timeout: PATIENCE)
    # The other direction is not held.
    there.send_message('alive').stored(timeout: PATIENCE)
    assert_equal 'alive', here.messages.next(timeout: PATIENCE).content
    refute receipts[512].stored?
    assert_equal(:timed_out, reason_of { here.wait_ready(timeout: 0.05) })
    assert_equal((0...count).to_a, take(there.messages, count).map(&:content))
    here.wait_ready(timeout: PATIENCE)
    receipts.each { |receipt| receipt.stored(timeout: PATIENCE) }
  end

  def test_beyond_its_outbox_a_session_refuses_to_send
    here, there = session_between(connect('planner'), connect('analyst'))
    receipts = Array.new(8192) { |n| here.send_message(n) }
    # The window of a peer that does not read may be stored meanwhile, and no more.
    assert_equal(:resource_exhausted, reason_of { 513.times { receipts << here.send_message('one too many') } })
    take(there.messages, 512)
    receipts[600].stored(timeout: PATIENCE)
    here.send_message('there is room again')
  end

  def test_pause_holds_the_peers_work_back_at_the_broker_and_resume_lets_it_come
    here, there = session_between(connect('planner'), connect('analyst'))
    there.pause
    # What is sent on the session after the pause shows that the broker has taken it.
    there.send_message('paused').stored(timeout: PATIENCE)
    receipt = here.send_message('later').stored(timeout: PATIENCE)
    there.send_message('still paused').stored(timeout: PATIENCE)
    assert_equal(:timed_out, reason_of { there.messages.next(timeout: 0.05) })
    there.resume
    assert_equal 'later', there.messages.next(timeout: PATIENCE).content
    receipt.delivered(timeout: PATIENCE)
  end

  def test_progress_waits_while_the_session_has_no_room
    connect('analyst').handle('chatter') do |count, task|
      count.times { |n| task.progress(n) }
      'said'
    end
    task = connect('planner').open('analyst').request('chatter', 10_000)
    assert_equal 'said', task.result(timeout: 60)
    # Of what nobody reads the newest are kept.
    assert_equal 9_999, task.progress.to_a.last
  end
end
