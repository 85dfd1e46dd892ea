CREATE TABLE `accounts` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`status` text DEFAULT 'active' NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `agents` (
	`account_id` text NOT NULL,
	`id` text NOT NULL,
	`status` text DEFAULT 'active' NOT NULL,
	`created_at` integer NOT NULL,
	`last_connected_at` integer,
	PRIMARY KEY(`account_id`, `id`),
	FOREIGN KEY (`account_id`) REFERENCES `accounts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `capabilities` (
	`account_id` text NOT NULL,
	`agent_id` text NOT NULL,
	`name` text NOT NULL,
	`version` text,
	`description` text,
	`input_schema` text,
	`output_schema` text,
	`max_concurrency` integer,
	PRIMARY KEY(`account_id`, `agent_id`, `name`),
	FOREIGN KEY (`account_id`,`agent_id`) REFERENCES `agents`(`account_id`,`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `capabilities_by_name` ON `capabilities` (`account_id`,`name`,`agent_id`);--> statement-breakpoint
CREATE TABLE `certificates` (
	`fingerprint` text PRIMARY KEY NOT NULL,
	`account_id` text NOT NULL,
	`agent_id` text NOT NULL,
	`serial` text NOT NULL,
	`subject` text NOT NULL,
	`not_before` integer NOT NULL,
	`not_after` integer NOT NULL,
	`status` text DEFAULT 'active' NOT NULL,
	`created_at` integer NOT NULL,
	`revoked_at` integer,
	FOREIGN KEY (`account_id`,`agent_id`) REFERENCES `agents`(`account_id`,`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `certificates_by_agent` ON `certificates` (`account_id`,`agent_id`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`account_id` text NOT NULL,
	`id` text NOT NULL,
	`initiator` text NOT NULL,
	`responder` text NOT NULL,
	`state` text NOT NULL,
	`reason` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`account_id`, `id`)
);
--> statement-breakpoint
CREATE INDEX `sessions_by_time` ON `sessions` (`account_id`,`updated_at`);