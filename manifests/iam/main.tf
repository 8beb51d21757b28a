# The AWS side of rootbot: one role for each stage of each operation, made from the policies beside this file; what lets
# the bot assume them; and the setting of the sync function that rootbot counts on. It finds the operations by their
# files, so a new one needs no change here.
#
#   module "rootbot" {
#     source         = "./manifests/iam"
#     bot_role       = "arn:aws:iam::111111111111:role/rootbot"
#     region         = "eu-west-2"
#     identity_store = "d-1234567890"
#     accounts       = { "remove-user" = "222222222222" } # roles that are made in another account
#   }
#
# For those operations, use the module once more in that account, with its provider and the same values.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "bot_role" {
  description = "ARN of the role that rootbot runs as (of the ECS task, the EKS service account or the EC2 instance). It must exist: IAM takes no unknown principal."
  type        = string
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/", var.bot_role))
    error_message = "bot_role must be the ARN of a role, such as arn:aws:iam::111111111111:role/rootbot."
  }
}

variable "accounts" {
  description = "Account of an operation's roles, by the operation's name, where it isn't the bot's own."
  type        = map(string)
  default     = {}
}

variable "region" {
  description = "Region of the sync function and of Identity Center; the provider's must be the same."
  type        = string
}

variable "identity_store" {
  description = "ID of Identity Center's identity store, such as d-1234567890. Null where this account has none."
  type        = string
  default     = null
}

variable "function" {
  description = "Name of the function that syncs GitHub's teams to Identity Center. Null where this account has none."
  type        = string
  default     = "aws-sso-scim-github"
}

variable "log_group" {
  description = "Log group of that function. Null: the one that Lambda makes."
  type        = string
  default     = null
}

variable "protected" {
  description = "ID of an account that is never to be closed or moved, whatever the bot is told. For several, repeat the statement NeverTheProtected of delete-account-act.json."
  type        = string
  default     = "000000000000"
}

variable "boundary" {
  description = "ARN of a permissions boundary of the users, one of remove-user's boundaries in rootbot.yaml, so that it can be put back. For several, add them beside it in remove-user-act.json."
  type        = string
  default     = "arn:aws:iam::aws:policy/AWSDenyAll"
}

variable "bucket" {
  description = "Name of the S3 bucket, with Object Lock enabled, in which the audit is anchored. Null: none is."
  type        = string
  default     = null
}

variable "prefix" {
  description = "Beginning of the anchors' keys in that bucket."
  type        = string
  default     = "rootbot/"
}

variable "tags" {
  description = "Tags of the roles."
  type        = map(string)
  default     = {}
}

data "aws_caller_identity" "here" {}

locals {
  # What stands for ${…} in the policies.
  values = {
    account        = local.here
    bot_role       = var.bot_role
    function       = coalesce(var.function, "none")
    identity_store = coalesce(var.identity_store, "none")
    log_group      = coalesce(var.log_group, "/aws/lambda/${coalesce(var.function, "none")}")
    region         = var.region
    user           = "*" # each request names its one user
    target         = "*" # each request names its one account
    protected      = var.protected
    boundary       = var.boundary
    bucket         = coalesce(var.bucket, "none")
    prefix         = var.prefix
  }

  here        = data.aws_caller_identity.here.account_id
  bot_account = split(":", var.bot_role)[4]
  bot_is_here = local.bot_account == local.here

  # The account of each operation's roles, by its name.
  operations = { for file in fileset(path.module, "*-trust.json") : trimsuffix(file, "-trust.json") => lookup(var.accounts, trimsuffix(file, "-trust.json"), local.bot_account) }

  # "scim-sync-look" and so on: those that belong here.
  stages = toset([for file in fileset(path.module, "*-{look,act}.json") : trimsuffix(file, ".json")
  if local.operations[replace(file, "/-(look|act).json$/", "")] == local.here && (file != "audit-act.json" || var.bucket != null)])

  bot_policy = templatefile("${path.module}/rootbot.json",
  { for operation, account in local.operations : "${replace(operation, "-", "_")}_account" => account })
}

resource "aws_iam_role" "stage" {
  for_each = local.stages

  name               = "rootbot-${each.key}"
  description        = "rootbot: ${each.key}"
  assume_role_policy = templatefile("${path.module}/${replace(each.key, "/-(look|act)$/", "")}-trust.json", local.values)
  # The bot asks for minutes. AWS allows no less than this hour.
  max_session_duration = 3600
  tags                 = var.tags
}

# Each request narrows its session further, to its one target.
resource "aws_iam_role_policy" "stage" {
  for_each = local.stages

  name   = each.key
  role   = aws_iam_role.stage[each.key].id
  policy = templatefile("${path.module}/${each.key}.json", local.values)
}

# All that the bot's own role may do in AWS. If that role lives in another account, attach the output bot_policy there.
resource "aws_iam_role_policy" "bot" {
  count = local.bot_is_here ? 1 : 0

  name   = "rootbot-assume-operations-roles"
  role   = element(split("/", var.bot_role), length(split("/", var.bot_role)) - 1)
  policy = local.bot_policy
}

# rootbot invokes the function asynchronously, and Lambda runs a failed asynchronous invocation twice more by itself,
# minutes later: up to three runs for one that was asked for, with a log and a result that rootbot has already reported.
# So: no retries. Whoever wants another run asks for it.
# An event that can't be run at once, because the function is throttled, Lambda would keep for up to 6 hours. rootbot
# stops waiting 60 seconds after the function's timeout; a run that starts later than that would be nobody's.
# Both hold for everything that invokes the function asynchronously, its schedule included.
# A function has one such configuration: if you have one already, set these two values there and remove this resource.
resource "aws_lambda_function_event_invoke_config" "sync" {
  count = var.function == null ? 0 : 1

  function_name                = var.function
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

output "roles" {
  description = "ARNs for look_role and act_role of each operation in rootbot.yaml."
  value       = { for stage, role in aws_iam_role.stage : stage => role.arn }
}

output "bot_policy" {
  description = "What the bot's own role needs."
  value       = local.bot_policy
}
