# frozen_string_literal: true

require 'fileutils'
require 'openssl'
require 'securerandom'
require_relative 'signing_request'

module Agentworks
  module Certificates
    # PEM texts.
    Identity = Struct.new(:certificate, :key)

    # The two files of an agent's identity, certificate and key, replaced so that no moment leaves a pair that cannot be used, however many
    # processes replace them and wherever one dies: the key's file has the key's certificate, too, and is replaced in one step; the
    # certificate's file follows. Whoever finds a certificate there that is not the key's takes the one that is with the key.
    class Files
      # A draft that is older, in seconds, was left by a process that died.
      DRAFT_SECONDS_MAX = 10 * 60
      DRAFT_NAME = /\A\.\h{16}\.new\z/.freeze
      private_constant :DRAFT_SECONDS_MAX, :DRAFT_NAME

      # @param certificate [String] a path
      # @param key [String] a path
      def initialize(certificate, key)
        @certificate = certificate
        @key = key
      end

      # Shows that there is room and the right to write, before anything depends on it.
      # @raise [SystemCallError]
      def try(key)
        # As long as what will come, or a little longer.
        [@key, @certificate].each { |file| File.unlink(draft(file, key * 16)) }
      end

      # Replaces both, mode 0600.
      # @raise [SystemCallError]
      def write(identity)
        drafts = []
        drafts << draft(@key, "#{identity.key.rstrip}\n#{identity.certificate}")
        drafts << draft(@certificate, identity.certificate)
        File.rename(drafts[0], @key)
        # A certificate without its key is the one thing that nobody could use.
        sync_folder_of(@key)
        File.rename(drafts[1], @certificate)
      ensure
        drafts.each { |path| FileUtils.rm_f(path) }
      end

      # @return [Identity, nil] what the files hold; nil where that is no pair
      def read
        # In this order: a new certificate comes after its key.
        beside = File.exist?(@certificate) ? File.binread(@certificate) : ''
        key_text = File.binread(@key)
        key = OpenSSL::PKey.read(key_text, '')
        found = Certificates.of_key(key, beside, key_text)
        found && Identity.new(found, key_text)
      rescue SystemCallError, OpenSSL::OpenSSLError
        nil
      end

      # Finishes a replacement that was cut short between its two files, and removes what processes that died left behind. Where that cannot be
      # done nothing is said: the pair can be read all the same.
      def settle
        pair = read
        if pair && !(File.exist?(@certificate) && File.binread(@certificate) == pair.certificate)
          File.rename(draft(@certificate, pair.certificate), @certificate)
        end
        [@certificate, @key].each { |file| remove_old_drafts(file) }
      rescue SystemCallError
        # The next one tries again.
      end

      private

      # Readable by its owner alone, on the disk before anything is given up for it, and by a name that no other process writes to.
      def draft(file, text)
        path = "#{file}.#{SecureRandom.hex(8)}.new"
        File.open(path, File::WRONLY | File::CREAT | File::EXCL, 0o600) do |out|
          out.write(text)
          out.fsync
        end
        path
      rescue SystemCallError
        FileUtils.rm_f(path)
        raise
      end

      # Its renames so far are on the disk. Not every system can say so of a folder.
      def sync_folder_of(file)
        File.open(File.dirname(file), &:fsync)
      rescue SystemCallError
        nil
      end

      def remove_old_drafts(file)
        name = File.basename(file)
        Dir.each_child(File.dirname(file)) do |entry|
          next unless entry.start_with?(name) && entry.delete_prefix(name).match?(DRAFT_NAME)

          path = File.join(File.dirname(file), entry)
          FileUtils.rm_f(path) if Time.now - File.mtime(path) > DRAFT_SECONDS_MAX
        end
      end
    end

    module_function

    # The certificate that belongs to the key: the one beside it, or, where that is an older one of the same agent, the one that is with it.
    # Files of two agents are nobody's pair.
    # @param key [OpenSSL::PKey::PKey]
    # @param beside [String] the text of the certificate's file; empty: there is none
    # @param key_text [String] of the key's file, which was read after the certificate's
    # @return [String, nil] PEM
    def of_key(key, beside, key_text)
      return beside if certificate_in(beside)&.check_private_key(key)

      inside = certificate_in(key_text)
      return unless inside&.check_private_key(key)

      other = certificate_in(beside)
      key_text[BLOCK] if beside.empty? || (other && common_name(other) == common_name(inside))
    end

    # @return [OpenSSL::X509::Certificate, nil] the first one of a PEM text
    def certificate_in(text)
      block = text[BLOCK]
      block && OpenSSL::X509::Certificate.new(block)
    rescue OpenSSL::X509::CertificateError
      nil
    end
  end
end
