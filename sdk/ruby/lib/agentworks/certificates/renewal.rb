# frozen_string_literal: true

require 'erb'
require 'json'
require 'net/http'
require 'openssl'
require_relative '../error'
require_relative 'files'
require_relative 'signing_request'

module Agentworks
  module Certificates
    # By how much the clocks of agents and CAs may differ, in seconds.
    CLOCK_SKEW = 5 * 60
    # A fleet that was made at one time does not come at one time.
    SPREAD = 1 / 20.0
    private_constant :CLOCK_SKEW, :SPREAD

    module_function

    # When to renew: at two thirds of the certificate's life, a little later by the dice.
    # @param random [Float] in [0, 1)
    # @return [Time]
    def renewal_time(certificate, random)
      life = certificate.not_after - certificate.not_before
      certificate.not_before + (life * ((2 / 3.0) + (SPREAD * random)))
    end

    # @param answer what the broker answered
    # @param key [String] PEM
    # @param present [OpenSSL::X509::Certificate]
    # @return [String] the certificate (PEM) of an answer
    # @raise [Error] :renewal_failed where it is not the one that was asked for, or not of use
    def judge_answer(answer, agent:, key:, present:, now: Time.now)
      said = answer.is_a?(Hash) ? answer : {}
      refuse('it has no certificate') unless said['certificate'].is_a?(String)
      refuse("the certificate is for #{said['agent_id']}") unless said['agent_id'] == agent

      certificate = certificate_in(said['certificate'])
      refuse('the certificate cannot be read') if certificate.nil?
      refuse('the certificate is for another key') unless certificate.check_private_key(OpenSSL::PKey.read(key))
      refuse('the certificate does not last longer than the present one') if certificate.not_after <= present.not_after
      refuse('the certificate is not valid yet') if certificate.not_before > now + CLOCK_SKEW
      said['certificate']
    end

    def refuse(why)
      raise Errors.client(:renewal_failed, "The broker's answer cannot be used: #{why}. The present certificate goes on.")
    end
    private_class_method :refuse

    # Keeps the certificate of one agent young for as long as it is not stopped. What the agent does with the new one is its own business.
    class Renewal
      # Machines sleep: a long wait is looked at again.
      LOOK_AGAIN = 60 * 60
      ANSWER_SECONDS_MAX = 30
      ANSWER_BYTES_MAX = 256 * 1024
      private_constant :LOOK_AGAIN, :ANSWER_SECONDS_MAX, :ANSWER_BYTES_MAX

      # @param uri [URI] of the broker, `wss://…`
      # @param files [Files]
      # @param credentials [Credentials] the present ones, which are replaced
      # @param random [#call] gives numbers in [0, 1)
      def initialize(uri, files, credentials, random)
        @uri = uri
        @files = files
        @credentials = credentials
        @random = random
      end

      # --- with the lock held

      # Begins, once it is known who this is; a second call changes nothing.
      # @param events has `renewed(not_after)` and `renewal_failed(error)`: called with the lock held. What failed is tried again while the
      #   certificate lasts
      def start(agent, lock, loop, events)
        return if @agent

        @agent = agent
        @lock = lock
        @loop = loop
        @events = events
        @due = Certificates.renewal_time(present, @random.call)
        wait
      end

      # One that is writing the files comes to the end of that.
      def stop
        @stopped = true
        @timer&.cancel
        @thread&.kill
      end

      private

      def present
        @credentials.certificate
      end

      def wait
        left = [@due - Time.now, 0].max
        @timer = @loop.after([left, LOOK_AGAIN].min) { Time.now < @due ? wait : renew }
      end

      # The loop does not wait for the disk and the broker.
      def renew
        @thread = Thread.new do
          identity = obtain
          @lock.synchronize { renewed(identity) unless @stopped }
        rescue Error => e
          @lock.synchronize { failed(e) unless @stopped }
        rescue StandardError => e
          # Nobody has foreseen it: the loop ends with it.
          @lock.synchronize { @loop.after(0) { raise e } }
        end
        @thread.name = 'agentworks renewal'
        @thread.report_on_exception = false
      end

      def renewed(identity)
        @credentials.use(identity)
        @due = Certificates.renewal_time(present, @random.call)
        @events.renewed(present.not_after)
        wait
      end

      # It is tried again after a part of what is left, but neither in a storm nor in a day.
      def failed(error)
        @due = Time.now + [LOOK_AGAIN, [1, (present.not_after - Time.now) / 20].max].min
        @events.renewal_failed(error)
        wait
      end

      # --- in a thread of its own, without the lock

      def obtain
        find_renewed || ask
      end

      # The files hold a newer certificate of this agent: another process has renewed it.
      def find_renewed
        pair = @files.read
        its = pair && Certificates.certificate_in(pair.certificate)
        return if its.nil? || Certificates.common_name(its) != Certificates.common_name(present)

        pair if its.not_after > present.not_after
      end

      def ask
        # An issuer that goes by the names of requests says the same again.
        made = Certificates.make_key_and_request(Certificates.common_name(present) || @agent)
        written { @files.try(made.key) }
        certificate = Certificates.judge_answer(post('csr' => made.csr), agent: @agent, key: made.key, present: present)
        Identity.new(certificate, made.key).tap { |identity| written { @files.write(identity) } }
      end

      # What is begun is finished, also when the agent ends.
      def written(&block)
        Thread.handle_interrupt(Object => :never, &block)
      rescue SystemCallError => e
        raise Errors.client(:renewal_failed, "#{Errors::CLIENT[:renewal_failed].last} (#{e.message})")
      end

      # One POST by the present certificate.
      # @return what was answered with 201
      # @raise [Error] the broker's refusal, or :connection_failed
      def post(body)
        request = Net::HTTP::Post.new("/v1/agents/#{ERB::Util.url_encode(@agent)}/certificates", 'content-type' => 'application/json')
        request.body = JSON.generate(body)
        text = +''
        response = connection.start do |http|
          http.request(request) do |answer|
            answer.read_body do |part|
              text << part
              raise IOError, 'the answer is too long' if text.bytesize > ANSWER_BYTES_MAX
            end
          end
        end
        raise Errors.refusal(response.code.to_i, text) unless response.code == '201'

        JSON.parse(text)
      rescue SystemCallError, ::SocketError, IOError, Timeout::Error, OpenSSL::SSL::SSLError, Net::HTTPBadResponse, JSON::ParserError => e
        raise Errors.client(:connection_failed, "The broker could not be asked for a new certificate (#{e.message}).")
      end

      def connection
        # nil: no proxy, whatever the environment names.
        Net::HTTP.new(@uri.hostname, @uri.port, nil).tap do |http|
          http.use_ssl = true
          http.open_timeout = http.ssl_timeout = http.read_timeout = ANSWER_SECONDS_MAX
          http.min_version = OpenSSL::SSL::TLS1_2_VERSION
          http.verify_mode = OpenSSL::SSL::VERIFY_PEER
          http.cert_store = @credentials.store
          http.cert = present
          http.extra_chain_cert = @credentials.chain
          http.key = @credentials.key
        end
      end
    end
  end
end
