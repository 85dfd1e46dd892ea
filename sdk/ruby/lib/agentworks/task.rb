# frozen_string_literal: true

require_relative 'channel'
require_relative 'deferred'
require_relative 'error'

module Agentworks
  # A task that this agent asked for. Nothing of it must be waited for.
  class Task
    # Progress that nobody reads: the newest of it.
    UNREAD_PROGRESS_MAX = 1024
    private_constant :UNREAD_PROGRESS_MAX

    # @return [String] a UUIDv7; asking again with it never runs the task twice
    attr_reader :id
    # @return [Channel] what the performer tells of its progress; ends with the task. Of what nobody reads the newest 1024 are kept
    attr_reader :progress

    # @api private
    def initialize(lock, id, &cancel)
      @lock = lock
      @id = id
      @cancel = cancel
      @outcome = Deferred.new(lock)
      @progress = Channel.new(lock, size_max: UNREAD_PROGRESS_MAX)
      @receipt = nil
    end

    # Waits for the end of the task.
    # @param timeout [Numeric, nil] seconds; after them TimedOut is raised, and the task goes on
    # @return what the performer's handler returned
    # @raise [TaskFailed, TaskCancelled, TaskExpired, Error] the last when it could not be sent or its session ended
    def result(timeout: nil)
      @lock.synchronize { @outcome.wait(timeout) }
    end

    # Progress as it comes, until the task ends.
    def each_progress(&block)
      return @progress.each unless block

      @progress.each(&block)
      self
    end

    # Waits until the request is stored.
    # @return [Receipt]
    def stored(timeout: nil)
      @receipt.stored(timeout: timeout)
    end

    # Waits until the performer's program has it, and has started its handler.
    def delivered(timeout: nil)
      @receipt.delivered(timeout: timeout)
      self
    end

    # Whether it has ended, one way or another.
    def done?
      @outcome.settled?
    end

    # Asks the performer to stop; `result` tells how the task ended.
    def cancel(reason = nil)
      @lock.synchronize { @cancel.call(reason) }
      self
    end

    # --- with the lock held

    # The id of its latest TASK_REQUEST: what a refusal answers.
    # @api private
    attr_accessor :request_id

    # @api private
    def asked(receipt)
      @receipt = receipt
      @request_id = receipt.id
      self
    end

    # @api private
    def respond(data)
      error = data['error'] || {}
      case data['status']
      when 'succeeded' then settle { @outcome.resolve(data['result']) }
      when 'expired' then fail_with(TaskExpired.new(*error['message']))
      when 'cancelled' then fail_with(TaskCancelled.new(*error['message']))
      else fail_with(failure_of(error))
      end
    end

    # @api private
    def fail_with(error)
      settle { @outcome.reject(error) }
    end

    private

    def settle
      @progress.finish
      yield
    end

    def failure_of(error)
      said = { reason: error['reason'] || 'failed', retryable: error['retryable'] }
      error.key?('message') ? TaskFailed.new(error['message'], **said) : TaskFailed.new(**said)
    end
  end
end
