ALTER TABLE `enrolment_tokens` ADD `certificate` text;--> statement-breakpoint
ALTER TABLE `enrolment_tokens` ADD `chain` text;