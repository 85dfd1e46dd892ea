# frozen_string_literal: true

require 'json'
require 'time'
require_relative 'content'
require_relative 'deferred'
require_relative 'error'
require_relative 'inbox'

module Agentworks
  # One task that this agent performs: what its handler knows of it.
  class Performance
    # As much of a message as TASK_RESPONSE has room for.
    MESSAGE_CHARS_MAX = 8192
    REASON_CHARS_MAX = 128
    SYMBOL_PARAMETERS = :itself.to_proc.parameters.freeze
    private_constant :MESSAGE_CHARS_MAX, :REASON_CHARS_MAX, :SYMBOL_PARAMETERS

    # @return [String] the same for every delivery of this task: the key for making side effects idempotent
    attr_reader :id
    # @return [Session]
    attr_reader :session
    # @return [Time, nil] when the broker ends the task, if the requester said so
    attr_reader :deadline

    # @api private
    def initialize(lock, live, data, redelivered, hooks)
      @lock = lock
      @live = live
      @session = live.facade
      @id = data['task_id']
      @input = data['input']
      @deadline = data['deadline'] && Time.iso8601(data['deadline'])
      @redelivered = redelivered
      @hooks = hooks
      @state = :waiting
      @cancelled = nil
      @cancel_waiters = Waiters.new(lock)
      @on_cancel = []
    end

    # @return [String] the agent that asked for it
    def requester
      @live.peer
    end

    # True when an earlier life of this agent may have begun it: check what it has done already, by `id`.
    def redelivered?
      @redelivered
    end

    # Tells the requester how far it is. Waits while the session has no room.
    # @return [Receipt]
    # @raise [Error] as Session#send_message does, and TaskCancelled once the task is over
    def progress(value)
      text = Content.json_of(value)
      @lock.synchronize do
        @live.wait_ready(nil) unless @state == :over
        raise TaskCancelled, 'The task is over: nobody hears of its progress.' if @state == :over

        @live.say('TASK_PROGRESS', "{\"task_id\":\"#{@id}\",\"progress\":#{text}}")
      end
    end

    # Whether the requester cancelled it, its deadline passed, or its session ended. Stop then; what is returned all the same
    # still counts.
    def cancelled?
      !@cancelled.nil?
    end

    # Raises TaskCancelled, or why the session ended, if it is cancelled: for loops.
    def check_cancelled
      raise @cancelled.dup if @cancelled
    end

    # Sleeps until it is cancelled, or for that long.
    # @param seconds [Numeric, nil]
    # @return [Boolean] whether it is cancelled
    def wait_cancelled(seconds = nil)
      @lock.synchronize { @cancel_waiters.until(seconds) { cancelled? } }
    end

    # Calls the block once, in a thread of its own, when the task is cancelled: to close what the handler is waiting for.
    # @yieldparam error [Error] why
    def on_cancel(&block)
      @lock.synchronize { @cancelled ? call_hook(block) : @on_cancel << block }
      self
    end

    # --- what the handlers do

    # Performs it. Without the lock.
    # @api private
    def run(handler)
      return unless @lock.synchronize { begin_running }

      begin
        answer = perform(handler)
      ensure
        # A handler may also end its thread (`Thread.exit`): that is an answer, too.
        answer ||= ['failed', error_text('reason' => 'handler_failed', 'message' => 'The handler ended its thread.')]
        @lock.synchronize { respond(*answer) }
      end
    end

    # It will not be run here.
    # @api private
    def refuse(error)
      @hooks.began.call
      respond('failed', error_text(error))
    end

    # --- with the lock held

    # @api private
    def waiting?
      @state == :waiting
    end

    # The requester does not want it any more. A handler that runs decides by itself how it ends.
    # @api private
    def cancel(reason)
      cancel_by(TaskCancelled.new(*reason))
      return unless @state == :waiting

      @hooks.began.call
      respond('cancelled', '')
    end

    # The session goes: no response can be sent any more.
    # @api private
    def abandon(error)
      @state = :over
      @hooks.began.call
      @hooks.ended.call
      cancel_by(error)
    end

    private

    def begin_running
      return false if @state == :over

      @state = :running
      @hooks.began.call
      # What could not be noted as begun must not begin: the session is gone.
      @state == :running
    end

    # Whatever is raised is the task's failure: also `exit`, by which any peer could end this program, and again with the task's
    # redelivery.
    # @return [Array(String, String)] status, and what follows it in `data`
    def perform(handler)
      result = call(handler)
      ['succeeded', ",\"result\":#{Content.json_of(result)}"]
    rescue Exception => e # rubocop:disable Lint/RescueException
      return ['cancelled', ''] if cancelled? && !e.is_a?(TaskFailed)

      ['failed', failure_text(e)]
    end

    # What an error says of itself is code of the application's, which may raise in its turn.
    def failure_text(error)
      return error_text(error.error) if error.is_a?(TaskFailed)
      return error_text('reason' => error.reason, 'message' => error.detail) if error.is_a?(Error)

      error_text('reason' => 'handler_failed', 'message' => Content.words_of(error, MESSAGE_CHARS_MAX))
    rescue Exception # rubocop:disable Lint/RescueException
      error_text('reason' => 'handler_failed', 'message' => Content.words_of(error, MESSAGE_CHARS_MAX))
    end

    # A lambda or a method may leave out what it does not need, and `&:name` asks the input alone.
    def call(handler)
      return handler.call(@input) if handler.parameters == SYMBOL_PARAMETERS

      arguments = [@input, self]
      arguments = arguments.first(handler.arity) if handler.lambda? && handler.arity.between?(0, 1)
      handler.call(*arguments)
    end

    # In the shapes that the broker takes, whatever it was made of; never with its stack.
    def error_text(error)
      said = {
        'reason' => Content.text_of(error['reason'], REASON_CHARS_MAX), 'message' => Content.text_of(error['message'], MESSAGE_CHARS_MAX)
      }
      said['retryable'] = error['retryable'] if [true, false].include?(error['retryable'])
      ",\"error\":#{JSON.generate(said)}"
    end

    def cancel_by(error)
      return if @cancelled

      @cancelled = error
      @cancel_waiters.notify
      @on_cancel.each { |block| call_hook(block) }
      @on_cancel.clear
    end

    def call_hook(block)
      error = @cancelled
      Thread.new { block.call(error) }.name = "agentworks cancel #{@id}"
    end

    def respond(status, more)
      return if @state == :over

      @state = :over
      @hooks.ended.call
      @live.say('TASK_RESPONSE', "{\"task_id\":\"#{@id}\",\"status\":\"#{status}\"#{more}}", bounded: false)
    rescue Error
      # The session ended in the same moment: the requester has been told so.
    end
  end

  # The tasks of one session that this agent performs: from TASK_REQUEST to exactly one TASK_RESPONSE each. With the lock held.
  class Performer
    Hooks = Struct.new(:began, :ended)
    private_constant :Hooks

    # @param live [LiveSession]
    def initialize(lock, live, handlers, inbox)
      @lock = lock
      @live = live
      @handlers = handlers
      @inbox = inbox
      @open = {}
    end

    # @return [Integer] tasks without a response
    def size
      @open.size
    end

    # The number of the request is taken when its handler starts, so that a busy agent slows its requesters down.
    def request(envelope, slot, redelivered)
      return @inbox.done(slot) if @open.key?(envelope['data']['task_id'])

      @handlers.submit(envelope['data']['capability'], begin_task(envelope, slot, redelivered))
    end

    # Tasks that an earlier life had begun, and not finished: they run again, but for those that nobody wants any more.
    # @param tasks [Enumerable<StartedTask>]
    def recall(tasks)
      tasks.each do |task|
        slot = Inbox::Slot.new(task.request['seq'], true)
        if task.cancel then begin_task(task.request, slot, true).cancel(task.cancel['data']['reason'])
        else request(task.request, slot, true)
        end
      end
    end

    # A handler that runs hears of it once it is taken. A task that waits is answered first: its request comes before.
    def cancel(data, slot)
      task = @open[data['task_id']]
      task.cancel(data['reason']) if task&.waiting?
      task&.cancel(data['reason']) if @inbox.done(slot)
    end

    def abandon(error)
      @open.values.each { |task| task.abandon(error) }
    end

    private

    def begin_task(envelope, slot, redelivered)
      data = envelope['data']
      hooks = Hooks.new(-> { @inbox.done(slot) }, -> { ended(data) })
      @open[data['task_id']] = Performance.new(@lock, @live, data, redelivered || data['redelivered'] == true, hooks)
    end

    # What is over does not wait for its turn, with all that it was asked with.
    def ended(data)
      task = @open.delete(data['task_id'])
      @handlers.withdraw(data['capability'], task) if task
    end
  end
end
