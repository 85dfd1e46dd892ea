# frozen_string_literal: true

require 'uri'
require_relative 'agent'
require_relative 'backoff'
require_relative 'certificates/renewal'
require_relative 'credentials'
require_relative 'error'
require_relative 'journal'
require_relative 'live_agent'
require_relative 'protocol/limits'

# The one way in: checks what the caller gave, reads what is in files, and waits until the broker knows the agent.
module Agentworks
  # Connects an agent over mutual TLS. Waits until the broker has registered it, and keeps it connected from then on. A broker that is not
  # there yet is waited for; `timeout:` bounds that.
  #
  # With a block: gives it the agent and returns what it returns; the agent is drained at the end (also at an Interrupt; a second one closes
  # it at once), or closed at once when the block raised.
  #
  # @param url [String] the broker, `wss://host:port`
  # @param certificate [String, Pathname] the agent's certificate: PEM text, or the path of a file
  # @param key [String, Pathname] its private key
  # @param ca [String, Pathname, nil] the CA that signed the broker's certificate; without one the system's CAs are trusted
  # @param direct [Boolean] gives each session a WebSocket of its own, one hop fewer: for few, busy sessions
  # @param recover [Boolean] goes on with the sessions that an earlier life of this agent left open: they come out of `sessions`, and their
  #   open tasks go to the handlers again. Register handlers right after connecting
  # @param reconnect [Backoff, Hash, false] bounds of the random waits between attempts (`base_ms:`, `max_ms:`; usually 100 ms … 30 s); false:
  #   the first loss is final
  # @param journal [String, Pathname, nil] path of a file in which this program remembers its sessions, so that a program that died and starts
  #   again with the same file loses and repeats nothing: what it had sent is sent, once; a message that it had taken does not come again; a task
  #   whose handler had ended does not run again, and one whose handler had not runs again, with `redelivered?`. The file is made (mode 0600)
  #   when it is not there; its folder must be. One file for each agent, and the same one in each of its lives. It is handed to the operating
  #   system, not forced to the disk: it survives the death of the process, not that of the machine. When it cannot be written any more
  #   the agent ends with journal_failed
  # @param renew [Boolean] renews the certificate at two thirds of its life, by itself, with a new key: the files `certificate:` and `key:` are
  #   replaced (mode 0600), and the connection is made anew once; sessions go on. The present one stays valid until its end
  # @param accept [#call, nil] judges an Offer: true accepts it, false or a String, which says why, rejects it. Without it every offer of the
  #   account's agents is accepted. Called in a thread of its own
  # @param timeout [Numeric, nil] seconds; after them TimedOut is raised, with the latest failure
  # @param drain_timeout [Numeric, nil] seconds that the drain after a block may take; then what is left is closed at once
  # @return [Agent]
  # @raise [Error] refused for good: :certificate_required, :certificate_untrusted, :certificate_expired, :certificate_not_yet_valid,
  #   :certificate_revoked, :certificate_unknown, :agent_suspended, :subprotocol_required, :broker_untrusted, :certificate_refused,
  #   :invalid_argument, :journal_damaged, :journal_mismatch, :journal_failed, :timed_out
  def self.connect(url:, certificate:, key:, ca: nil, renew: false, timeout: nil, drain_timeout: nil, **options, &block)
    files = Connecting.settled(certificate, key) if renew
    setup = Connecting.setup(url, Credentials.new(certificate: certificate, key: key, ca: ca), files: files, **options)
    agent = Connecting.register(LiveAgent.new(setup), timeout)
    block ? Connecting.lend(agent, drain_timeout, &block) : agent
  end

  # The steps of connecting.
  module Connecting
    module_function

    # @return [Certificates::Files] those that are renewed, put right where an earlier renewal was cut short
    def settled(certificate, key)
      unless Credentials.path?(certificate) && Credentials.path?(key)
        raise Errors.client(
          :invalid_argument, 'Give `certificate:` and `key:` as paths of files: `renew:` writes the new certificate there.'
        )
      end
      Certificates::Files.new(certificate.to_s, key.to_s).tap(&:settle)
    end

    # @param files [Certificates::Files, nil] those that are renewed
    # @param timing [Timing] other clocks than the protocol's: for tests
    def setup(url, credentials, files: nil, direct: false, recover: true, reconnect: {}, accept: nil, journal: nil, timing: Timing.usual)
      if journal && !recover
        raise Errors.client(:invalid_argument, 'A journal is for going on with earlier sessions: leave `recover:` true.')
      end

      uri = uri_of(url)
      random = -> { rand }
      renewal = files && Certificates::Renewal.new(uri, files, credentials, random)
      if files && reconnect == false
        raise Errors.client(:invalid_argument, '`renew:` makes the connection anew with each certificate: leave `reconnect:` on.')
      end

      AgentSetup.new(
        uri: uri, credentials: credentials, timing: timing, reconnect: backoff_of(reconnect), direct: direct, recover: recover,
        accept: accept, journal: journal && Journal.new(journal.to_s), random: random, renewal: renewal
      )
    end

    # Waits for the first REGISTER_ACK; without one nothing is left running.
    # @return [Agent]
    def register(live, timeout)
      agent = Agent.new(live)
      begin
        live.lock.synchronize { live.registered.wait(timeout) }
      rescue TimedOut
        raise TimedOut, "The broker did not answer in the time given.#{latest_failure(live)}"
      end
      agent
    rescue Exception
      agent&.close
      raise
    end

    def lend(agent, drain_timeout)
      result = yield agent
      agent.drain(timeout: drain_timeout)
      result
    rescue StandardError
      raise
    rescue Exception
      # The program is asked to end (Interrupt, exit): in good order, unless it is asked again.
      agent.drain(timeout: drain_timeout)
      raise
    ensure
      agent.close
    end

    def uri_of(url)
      uri = URI.join(url, '/v1/connect')
      uri.port ||= 443
      return uri if uri.scheme == 'wss' && uri.hostname

      raise Errors.client(:invalid_argument, "url: #{url} does not begin with wss: mutual TLS is mandatory.")
    rescue URI::Error, TypeError, ArgumentError => e
      raise Errors.client(:invalid_argument, "url: #{url.inspect} is no URL (wss://host:port): #{e.message}.")
    end
    private_class_method :uri_of

    def backoff_of(reconnect)
      return reconnect if reconnect == false || reconnect.is_a?(Backoff)

      limits = Protocol::Limits
      Backoff.new(base_ms: limits::RECONNECT_BASE_MS, max_ms: limits::RECONNECT_MAX_MS, **reconnect)
    rescue ArgumentError, TypeError
      raise Errors.client(:invalid_argument, 'reconnect: is false, or has base_ms: and max_ms:.')
    end
    private_class_method :backoff_of

    def latest_failure(live)
      failure = live.failure
      failure ? " The latest attempt failed: #{failure.message}" : ''
    end
    private_class_method :latest_failure
  end
end
