# frozen_string_literal: true

module Agentworks
  # What one session notes in the journal of its agent, in the session's own words. It decides what a record says; when it is said is the
  # session's business, and the file is the journal's. Everything here happens with the lock held.
  class SessionJournal
    def initialize(journal, session)
      @journal = journal
      @session = session
    end

    # It is open, or found again without a memory of it. What was queued before that is noted only now: of a session that is not known
    # the journal keeps nothing.
    # @param remembered [Protocol::Remembered]
    def opened(remembered, redelivered, requested)
      record = {
        'peer' => remembered.peer, 'epoch' => remembered.epoch, 'taken' => remembered.taken, 'stored' => remembered.stored,
        'redelivered' => redelivered, 'requested' => requested
      }
      # Unless a line says so, nobody knows any more who closed it.
      record['closing'] = { 'reason' => 'closed', 'own' => false } if remembered.closing && remembered.lines.empty?
      note(record)
      remembered.lines.each { |line| note('line' => line) }
    end

    # @return [Boolean] false: it could not be written
    def queued(line)
      note('line' => line)
      commit
    end

    def stored(through)
      note('stored' => through)
    end

    # Before the application has it.
    # @param through [Integer] everything through there is taken by that; 0: something before it is not
    # @return [Boolean] false: it could not be written, and the application must not have it
    def taken(seq, through, envelope)
      note((through.positive? ? { 'taken' => through } : { 'ahead' => seq }).merge(trace_of(envelope)))
      commit
    end

    # A task that this agent asked for will have no response.
    def refused(task_id)
      note('answered' => task_id)
    end

    # It is not worth while to be told so again.
    def ended
      note('ended' => true)
      commit
    end

    # Before anything leaves by a socket.
    # @return [Boolean] false: nothing may leave
    def commit
      @journal.commit
    end

    private

    def note(record)
      @journal.note({ 'session' => @session }.merge(record))
    end

    # What is kept of an envelope beyond that it was taken.
    def trace_of(envelope)
      case envelope && envelope['type']
      when 'TASK_REQUEST', 'TASK_CANCEL' then { 'task' => envelope }
      when 'TASK_RESPONSE' then { 'answered' => envelope['data']['task_id'] }
      when 'SESSION_CLOSE' then { 'closed' => envelope['data']['reason'] || 'closed' }
      else {}
      end
    end
  end
end
