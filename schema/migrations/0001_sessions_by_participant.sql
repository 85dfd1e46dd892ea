DROP INDEX `sessions_by_time`;--> statement-breakpoint
CREATE INDEX `sessions_by_initiator` ON `sessions` (`account_id`,`initiator`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `sessions_by_responder` ON `sessions` (`account_id`,`responder`,`created_at`,`id`);