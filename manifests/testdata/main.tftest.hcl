# Run by TestTerraformMakesTheRoles, beside a copy of iam/.
mock_provider "aws" {
  override_data {
    target = data.aws_caller_identity.here
    values = { account_id = "111111111111" }
  }
}

variables {
  bot_role       = "arn:aws:iam::111111111111:role/service/rootbot"
  region         = "eu-west-2"
  identity_store = "d-1234567890"
}

run "roles" {
  command = plan

  assert {
    condition     = aws_iam_role.stage["scim-sync-act"].name == "rootbot-scim-sync-act"
    error_message = "The role's name is not the one in rootbot.json."
  }
  assert {
    condition = (jsondecode(aws_iam_role.stage["scim-sync-look"].assume_role_policy).Statement[0].Principal.AWS
    == "arn:aws:iam::111111111111:role/service/rootbot")
    error_message = "The role does not trust the bot."
  }
  assert {
    condition = (jsondecode(aws_iam_role_policy.stage["scim-sync-act"].policy).Statement[1].Resource
    == "arn:aws:logs:eu-west-2:111111111111:log-group:/aws/lambda/aws-sso-scim-github:*")
    error_message = "The policy is not filled in."
  }
  assert {
    condition     = aws_iam_role_policy.bot[0].role == "rootbot"
    error_message = "The bot's policy goes to the wrong role."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.sync[0].maximum_retry_attempts == 0
    error_message = "Lambda would retry."
  }
}

run "roles_of_another_account" {
  command = plan

  variables {
    accounts = { "remove-user" = "222222222222" }
  }

  assert {
    condition     = length([for stage, role in aws_iam_role.stage : stage if startswith(stage, "remove-user")]) == 0
    error_message = "Roles of another account are made here."
  }
  assert {
    condition     = contains(jsondecode(output.bot_policy).Statement[0].Resource, "arn:aws:iam::222222222222:role/rootbot-remove-user-look")
    error_message = "The bot may not assume the roles there."
  }
}

run "a_bot_of_another_account" {
  command = plan

  variables {
    bot_role = "arn:aws:iam::222222222222:role/rootbot"
    accounts = { "scim-sync" = "111111111111", "remove-user" = "111111111111" }
    function = null
  }

  assert {
    condition     = length(aws_iam_role_policy.bot) == 0
    error_message = "The bot's role is not here."
  }
  assert {
    condition     = jsondecode(output.bot_policy).Statement[0].Action == "sts:AssumeRole"
    error_message = "The bot's policy is not handed out."
  }
}

run "a_bot_role_that_is_none" {
  command = plan

  variables {
    bot_role = "rootbot"
  }

  expect_failures = [var.bot_role]
}
