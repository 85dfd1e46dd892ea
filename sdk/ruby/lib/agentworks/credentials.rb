# frozen_string_literal: true

require 'openssl'
require_relative 'certificates/files'
require_relative 'error'

module Agentworks
  # Certificate, key and CA of an agent: each given as PEM text, as the path of a file, or as an object of OpenSSL's.
  # Nothing else is read from the disk.
  class Credentials
    # @return [OpenSSL::SSL::SSLContext] what the next connection is made with: it may be renewed
    attr_reader :context
    # @return [OpenSSL::X509::Certificate] the agent's, as it is in the context, as are these
    attr_reader :certificate
    # @return [Array<OpenSSL::X509::Certificate>] those between it and its CA
    attr_reader :chain
    # @return [OpenSSL::PKey::PKey]
    attr_reader :key
    # @return [OpenSSL::X509::Store] whom to trust
    attr_reader :store

    # @param ca [String, Pathname, OpenSSL::X509::Store, nil] nil: the CAs of the system are trusted
    # @raise [InvalidArgument] when one is missing, cannot be read, or does not fit the other
    def initialize(certificate:, key:, ca: nil)
      raise invalid('Give `certificate:` and `key:`: mutual TLS needs both.') if certificate.nil? || key.nil?

      # In this order: a program that renews them writes the key first.
      found = certificates(certificate, 'certificate')
      key_text = key.is_a?(OpenSSL::PKey::PKey) ? nil : text_of(key, 'key')
      private_key = key_text ? key_of(key_text) : key
      @store = store_of(ca)
      set(pair(found, private_key, key_text), private_key)
    end

    # From the next connection on.
    # @param identity [Certificates::Identity]
    def use(identity)
      set(certificates(identity.certificate, 'certificate'), key_of(identity.key))
    end

    # Whether it names a file, and is no PEM itself.
    def self.path?(given)
      given.respond_to?(:to_path) || (given.is_a?(String) && !given.include?(PEM_MARK))
    end

    PEM_MARK = '-----BEGIN '
    private_constant :PEM_MARK

    private

    def set(found, private_key)
      @certificate, *@chain = found
      @key = private_key
      @context = context_of(found, private_key, @store)
    end

    # A renewal that was cut short leaves the new certificate with the key. Files of two agents are no pair.
    def pair(found, private_key, key_text)
      return found if found.first.check_private_key(private_key)

      inside = key_text && Certificates.of_key(private_key, found.first.to_pem, key_text)
      return certificates(inside, 'key') if inside

      raise invalid('`key` is not the private key of `certificate`. Give the two that were issued together.')
    end

    def invalid(detail)
      Errors.client(:invalid_argument, detail)
    end

    def context_of(chain, private_key, store)
      OpenSSL::SSL::SSLContext.new.tap do |context|
        context.add_certificate(chain.first, private_key, chain.drop(1))
        context.cert_store = store
        context.verify_mode = OpenSSL::SSL::VERIFY_PEER
        # The dial compares the name itself, or the address: this would know names only.
        context.verify_hostname = false
        context.min_version = OpenSSL::SSL::TLS1_2_VERSION
        context.freeze
      end
    rescue OpenSSL::SSL::SSLError => e
      raise invalid("Certificate and key cannot be used: #{e.message}.")
    end

    def certificates(given, name)
      return [given] if given.is_a?(OpenSSL::X509::Certificate)

      found = text_of(given, name).scan(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/m)
      raise invalid("`#{name}` holds no certificate in PEM (-----BEGIN CERTIFICATE-----).") if found.empty?

      found.map { |pem| OpenSSL::X509::Certificate.new(pem) }
    rescue OpenSSL::X509::CertificateError => e
      raise invalid("`#{name}` is no readable certificate: #{e.message}.")
    end

    def key_of(text)
      # An empty passphrase: without one OpenSSL would ask at the terminal.
      key = OpenSSL::PKey.read(text, '')
      raise invalid('`key` is a public key. Give the private one.') if key.respond_to?(:private?) && !key.private?

      key
    rescue OpenSSL::PKey::PKeyError, ArgumentError => e
      raise invalid("`key` is no readable private key in PEM without a passphrase: #{e.message}.")
    end

    def store_of(ca)
      return ca if ca.is_a?(OpenSSL::X509::Store)

      store = OpenSSL::X509::Store.new
      if ca.nil?
        store.set_default_paths
      else
        certificates(ca, 'ca').uniq(&:to_der).each { |one| store.add_cert(one) }
      end
      store
    end

    # PEM is recognized by its first line; anything else is a path.
    def text_of(given, name)
      text = given.to_s
      return text if text.include?(PEM_MARK)

      File.binread(text)
    rescue SystemCallError => e
      raise invalid("`#{name}` cannot be read: #{e.message}.")
    end
  end
end
