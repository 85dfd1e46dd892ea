# frozen_string_literal: true

require 'json'
require_relative 'content'
require_relative 'deferred'
require_relative 'error'
require_relative 'protocol/envelope'
require_relative 'protocol/limits'

module Agentworks
  # The capabilities of an agent and who performs them: one table for all of its sessions, with the concurrency that each allows.
  # It starts jobs, each in a thread of its own, and counts them; what a job is, and what becomes of its result, is the performer's
  # business. Everything here happens with the lock held.
  class Handlers
    Entry = Struct.new(:capability, :handler, :running, :waiting)
    private_constant :Entry

    # How long a task of a young agent waits for a handler that is registered a little later.
    YOUTH = 2
    # Threads of a capability that names no max_concurrency: as many as a session may have open tasks.
    THREADS_MAX = Protocol::Limits::OPEN_TASKS_MAX
    DRAINING = { 'reason' => 'agent_draining', 'message' => 'The agent takes no new tasks.', 'retryable' => true }.freeze
    private_constant :YOUTH, :THREADS_MAX, :DRAINING

    def initialize(lock, loop)
      @lock = lock
      @entries = {}
      @running = 0
      @draining = false
      @idle = Waiters.new(lock)
      # Tasks that came before their handler. Recovered sessions bring them at once, and programs register one by one.
      @early = queue
      loop.after(YOUTH) { come_of_age }
    end

    # @return [Array<Hash>] what the agent announces
    def capabilities
      @entries.each_value.map(&:capability)
    end

    # @param options [Hash] what else is announced: version, description, input_schema, output_schema, max_concurrency
    # @raise [InvalidArgument] name or options do not fit a capability
    def add(name, handler, options)
      capability = capability_of(name, options)
      max = Protocol::Limits::CAPABILITIES_MAX
      if !@entries.key?(name) && @entries.size == max
        raise Errors.client(:invalid_argument, "An agent announces at most #{max} capabilities.")
      end

      entry = @entries[name] ||= Entry.new(nil, nil, 0, queue)
      entry.capability = capability
      entry.handler = handler
      early = (@early || {}).select { |_, early_name| early_name == name }.keys
      early.each { |job| @early.delete(job) }
      early.each { |job| submit(name, job) }
    end

    # Starts the job now, or when it is its turn; refuses it when nobody performs that here, or while draining.
    # @param job has `run(handler)`, called without the lock, and `refuse(error)`
    def submit(name, job)
      return job.refuse(DRAINING) if @draining

      entry = @entries[name]
      if entry.nil?
        return @early[job] = name if @early

        return job.refuse('reason' => 'capability_unknown', 'message' => "This agent has no handler for #{name}.")
      end
      entry.waiting[job] = name
      start_waiting(entry)
    end

    # Forgets the job if it has not started: it is over.
    def withdraw(name, job)
      @entries[name]&.waiting&.delete(job)
      @early&.delete(job)
    end

    # Refuses what has not started and what comes. Waits until nothing runs any more.
    # @param timeout [Numeric, nil] seconds
    # @return [Boolean] whether nothing runs any more
    def drain(timeout)
      @draining = true
      early = @early || {}
      @early = nil
      early.each_key { |job| job.refuse(DRAINING) }
      @entries.each_value { |entry| next_of(entry).refuse(DRAINING) until entry.waiting.empty? }
      @idle.until(timeout) { @running.zero? }
    end

    private

    def come_of_age
      early = @early || {}
      @early = nil
      early.each { |job, name| submit(name, job) }
    end

    # Jobs in the order in which they came, each with its capability, from which any can be taken at once.
    def queue
      {}.compare_by_identity
    end

    def next_of(entry)
      entry.waiting.shift.first
    end

    def capability_of(name, options)
      capability = options.compact.transform_keys(&:to_s).merge('name' => name)
      misfit = Protocol::Envelope.misfit_of(capability)
      return JSON.parse(Content.json_of(capability)) if misfit.nil?

      raise Errors.client(
        :invalid_argument, "Capability #{name.inspect}: #{misfit}: #{capability[misfit].inspect} does not fit (PROTOCOL R6)."
      )
    end

    def start_waiting(entry)
      room = entry.capability['max_concurrency'] || THREADS_MAX
      start(entry, next_of(entry)) while entry.running < room && !entry.waiting.empty?
    end

    def start(entry, job)
      entry.running += 1
      @running += 1
      handler = entry.handler
      thread = Thread.new do
        job.run(handler)
      ensure
        @lock.synchronize { ended(entry) }
      end
      thread.name = "agentworks #{entry.capability['name']}"
      thread.report_on_exception = false
    end

    def ended(entry)
      entry.running -= 1
      @running -= 1
      @idle.notify
      start_waiting(entry)
    end
  end
end
