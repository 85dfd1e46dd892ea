# frozen_string_literal: true

# What is kept of tasks that nobody waits for any more.
require_relative 'support/stage'

class HandlersTest < AgentTest
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

  def performances
    GC.start
    ObjectSpace.each_object(Agentworks::Performance).count
  end
end
