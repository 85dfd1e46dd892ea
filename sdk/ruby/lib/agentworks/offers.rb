# frozen_string_literal: true

require 'json'
require_relative 'backoff'
require_relative 'clock'
require_relative 'content'
require_relative 'error'
require_relative 'protocol/client'
require_relative 'protocol/ids'
require_relative 'protocol/limits'

module Agentworks
  # What a peer offers: the session's id, the agent that wants to open it (proven by its certificate), what it gave to `open`
  # (unchecked), and what it can do.
  Offer = Struct.new(:id, :peer, :metadata, :capabilities, keyword_init: true)

  # Opening sessions towards peers, with patience; and judging those that peers offer. Decides; the agent sends.
  module Offers
    REASON_CHARS_MAX = 1024
    PATIENCE = Backoff.new(base_ms: 100, max_ms: 2_000)
    private_constant :REASON_CHARS_MAX, :PATIENCE

    module_function

    # What an offer says: the peer or nil, and the members of its `data`.
    # @raise [InvalidArgument]
    def terms(peer, capability, metadata, wait_ms)
      unless wait_ms.is_a?(Numeric) && wait_ms >= 0
        raise Errors.client(:invalid_argument, 'wait_ms: is a number of milliseconds, 0 or more.')
      end
      raise Errors.client(:invalid_argument, 'Name a peer or a `capability:` to open a session with.') if peer.nil? && capability.nil?
      unless peer.nil? || Protocol::Ids.agent?(peer)
        raise Errors.client(:invalid_argument, "#{peer.inspect} is no id of an agent.")
      end
      unless capability.nil? || Protocol::Ids.capability?(capability)
        raise Errors.client(:invalid_argument, "#{capability.inspect} is no name of a capability.")
      end

      more = { 'ttl_ms' => [wait_ms.ceil, Protocol::Limits::OFFER_TTL_MS_MAX].min }
      more['capability'] = capability unless capability.nil?
      # As it is now: the offer may be made more than once.
      more['metadata'] = JSON.parse(Content.json_of(metadata)) unless metadata.nil?
      [peer, more]
    end

    # Offers a session, and waits for the answer: the broker keeps the offer for a peer that is away. Only where nobody has room
    # for a capability the offer is made anew, until time is up. With the lock held.
    # @param agent [LiveAgent] its sessions put each offer on its way
    # @param timeout [Numeric, nil] seconds
    def open(agent, terms, wait_ms, timeout)
      peer, more = terms
      give_up_at = timeout && (Clock.now + timeout)
      patient_until = Clock.now + (wait_ms / 1000.0)
      attempt = 0
      loop do
        session = agent.sessions.begin_session(Protocol::ClientSession.offer(agent.mint.call, peer, agent.mint, more))
        return session if answered?(session, give_up_at)

        delay = PATIENCE.wait_ms(attempt, agent.random.call) / 1000.0
        raise session.refusal.dup if session.refusal.reason != :capability_busy || Clock.now + delay >= patient_until

        attempt += 1
        raise TimedOut if give_up_at && Clock.now + delay >= give_up_at

        agent.pause(delay)
      end
    end

    # @return [Boolean] whether it was accepted
    def answered?(session, give_up_at)
      session.opening.wait(give_up_at && [give_up_at - Clock.now, 0].max)
      true
    rescue TimedOut
      session.abandon(TimedOut.new)
      raise
    rescue Error
      false
    ensure
      # Whoever waits may be interrupted: then nobody is there to have the session.
      session.abandon(TimedOut.new) unless session.opening.settled?
    end
    private_class_method :answered?

    # @param verdict what `accept:` gave: true, false, or a String that says why not
    # @return [Protocol::ClientSession, Hash] the core that accepts the offer, or the envelope that rejects it
    def answer(offer, verdict, mint)
      return Protocol::ClientSession.accept(offer, mint) if verdict && !verdict.is_a?(String)

      data = verdict.is_a?(String) ? { 'message' => Content.text_of(verdict, REASON_CHARS_MAX) } : {}
      { 'type' => 'SESSION_REJECT', 'id' => mint.call, 'session_id' => offer['session_id'], 'in_reply_to' => offer['id'], 'data' => data }
    end
  end
end
