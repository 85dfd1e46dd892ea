CREATE TABLE `issuer_revocations` (
	`reference` text PRIMARY KEY NOT NULL,
	`issuer` text NOT NULL,
	`fingerprint` text,
	`not_after` integer NOT NULL,
	`created_at` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`tried_at` integer
);
