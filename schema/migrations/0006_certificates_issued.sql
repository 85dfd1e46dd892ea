CREATE TABLE `enrolment_tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`account_id` text NOT NULL,
	`agent_id` text NOT NULL,
	`secret_hash` text NOT NULL,
	`created_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
ALTER TABLE `certificates` ADD `issuer` text;--> statement-breakpoint
ALTER TABLE `certificates` ADD `issuer_reference` text;--> statement-breakpoint
ALTER TABLE `certificates` ADD `renewed_from` text;--> statement-breakpoint
CREATE INDEX `certificates_by_origin` ON `certificates` (`renewed_from`);