package chat

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/slack-go/slack"
)

// about is what an answer of Slack's that isn't ok is about: it decides what becomes of
// the message.
type about int

const (
	aboutUnknown about = iota // tried a few times, then told in another way
	aboutNow                  // waiting mends it
	aboutText                 // this text as it is drawn: told in another way
	aboutFile                 // this file, or any: told as text
	aboutThread               // the thread or the message isn't there any more, or takes nothing: a new one is made
	aboutReplies              // the channel has no threads: told outside of one
	aboutChannel              // the channel: people must mend that; messages wait, and people are told by themselves
	aboutRules                // the workspace's rules: as with the channel
	aboutToken                // the token, or the app that it is of: the operator must mend that
	aboutPerson               // this person can't be written to
	aboutForm                 // the form, or the moment to open it
)

// meaning is what an answer is about, and, where people must mend it, why in words.
type meaning struct {
	about about
	words string
}

// meanings are Slack's answers: those of its documentation for the methods that the bot
// calls, and what else was seen of them.
// https://docs.slack.dev/reference/methods
var meanings = gather(map[about]map[string]string{
	aboutNow: {
		"internal_error": "", "fatal_error": "", "service_unavailable": "", "request_timeout": "", "ratelimited": "", "rate_limited": "",
		"message_limit_exceeded": "", "update_failed": "", "streaming_state_conflict": "", "fetch_members_failed": "",
		"team_added_to_org": "the workspace is being moved", "org_login_required": "the workspace is being moved", "external_channel_migrating": "the channel is being moved",
	},
	aboutText: {
		"invalid_blocks": "", "invalid_blocks_format": "", "msg_too_long": "", "msg_blocks_too_long": "", "no_text": "", "block_mismatch": "",
		"invalid_attachments": "", "too_many_attachments": "", "attachment_payload_limit_exceeded": "", "too_many_contact_cards": "", "markdown_text_conflict": "",
		"invalid_metadata_format": "", "invalid_metadata_schema": "", "metadata_too_large": "", "metadata_must_be_sent_from_app": "",
		"invalid_arguments": "", "invalid_arg_name": "", "invalid_array_arg": "", "invalid_charset": "", "invalid_form_data": "", "invalid_post_type": "",
		"missing_post_type": "", "invalid_json": "", "json_not_object": "", "missing_argument": "", "missing_args": "", "insecure_request": "", "as_user_not_supported": "",
		"cant_broadcast_message": "", "no_dual_broadcast_content_update": "", "missing_file_data": "", "duplicate_message_not_found": "", "duplicate_channel_not_found": "",
		"draft_already_deleted": "", "draft_already_sent": "", "draft_has_conflict": "", "draft_not_found": "",
		"slack_connect_file_link_sharing_blocked": "", "slack_connect_canvas_sharing_blocked": "", "slack_connect_lists_sharing_blocked": "",
	},
	aboutFile: {
		"file_uploads_disabled": "the workspace has switched files off", "file_uploads_except_images_disabled": "the workspace takes images only",
		"file_upload_size_restricted": "it is larger than the workspace allows", "file_type_not_allowed": "the workspace doesn't take its type", "blocked_file_type": "the workspace doesn't take its type",
		"storage_limit_reached": "the workspace's storage is full", "snippet_too_large": "it is too large", "unknown_snippet_type": "", "unknown_subtype": "", "alt_txt_too_large": "",
		"file_not_found": "", "file_deleted": "", "file_is_deleted": "", "file_update_failed": "", "unable_to_share_files": "", "file_share_limit_reached": "", "max_file_sharing_exceeded": "",
		"channels_limit_exceeded": "", "malware_detected": "", "post_contents_too_large": "it is too large", "posting_to_channel_denied": "the bot may not share files in this channel",
		"slack_connect_file_upload_sharing_blocked": "files are switched off in channels that are shared", "slack_connect_clip_sharing_blocked": "files are switched off in channels that are shared",
		"slack_connect_blocked_file_type": "its type isn't taken in channels that are shared",
	},
	aboutThread: {
		"message_not_found": "", "cant_update_message": "", "edit_window_closed": "", "thread_not_found": "", "cannot_reply_to_message": "", "restricted_action_thread_locked": "",
	},
	aboutReplies: {"restricted_action_non_threadable_channel": ""},
	aboutChannel: {
		"is_archived": "it is archived", "is_inactive": "it is archived", "channel_not_found": "Slack shows the bot no such channel any more", "invalid_channel": "Slack shows the bot no such channel any more",
		"not_in_channel": "the bot is not in it any more", "channel_is_limited_access": "the bot has no access to it", "method_not_supported_for_channel_type": "it is of a type that takes no messages of a bot",
		"team_not_found": "Slack shows the bot no such channel any more",
	},
	aboutRules: {
		"restricted_action": "the workspace doesn't let the bot post there", "restricted_action_read_only_channel": "it is read-only", "restricted_action_thread_only_channel": "it takes threads only",
		"posting_to_general_channel_denied": "the workspace doesn't let the bot post there", "ekm_access_denied": "the workspace's keys are withdrawn",
		"no_permission": "the workspace doesn't let the bot post there", "access_denied": "the workspace doesn't let the bot post there", "accesslimited": "the workspace lets nobody post from the bot's network",
		"enterprise_is_restricted": "the enterprise doesn't let the bot post there",
	},
	aboutToken: fatal,
	aboutPerson: {
		"user_not_found": "", "user_disabled": "", "user_not_visible": "", "user_not_in_channel": "", "users_not_found": "", "cannot_dm_bot": "", "messages_tab_disabled": "",
		"invalid_user_combination": "", "not_enough_users": "", "too_many_users": "", "users_list_not_supplied": "",
	},
	aboutForm: {
		"expired_trigger_id": "", "exchanged_trigger_id": "", "invalid_trigger_id": "", "trigger_exchanged": "", "trigger_expired": "", "view_too_large": "", "duplicate_external_id": "",
	},
})

func gather(by map[about]map[string]string) map[string]meaning {
	all := map[string]meaning{}
	for about, codes := range by {
		for code, words := range codes {
			all[code] = meaning{about, words}
		}
	}
	return all
}

// fatal are the answers about the token and its app: at the start, no waiting mends them.
// https://docs.slack.dev/reference/methods/auth.test
var fatal = map[string]string{
	"invalid_auth":              "Slack doesn't accept the token",
	"not_authed":                "Slack got no token",
	"account_inactive":          "the token's user or workspace was deleted",
	"token_revoked":             "the token was revoked",
	"token_expired":             "the token has expired",
	"not_allowed_token_type":    "the token is of the wrong type",
	"missing_scope":             "the Slack app lacks a scope",
	"link_disabled":             "Socket Mode is switched off for the Slack app",
	"team_access_not_granted":   "the token doesn't belong to this workspace",
	"two_factor_setup_required": "the token's user must set up two factors",
	"forbidden_team":            "the token's workspace may not use Socket Mode",
	"deprecated_endpoint":       "Slack has ended a method that this version of rootbot calls",
	"method_deprecated":         "Slack has ended a method that this version of rootbot calls",
}

// codeOf is Slack's word for a fault; empty where Slack said nothing.
func codeOf(err error) string {
	answer, _ := errors.AsType[slack.SlackErrorResponse](err)
	return answer.Err
}

// aboutOf is what an error is about; aboutNow where Slack said nothing.
func aboutOf(err error) about {
	if _, ok := errors.AsType[*uploadError](err); ok {
		return aboutFile
	}
	if code := codeOf(err); code != "" {
		return meanings[code].about
	}
	return aboutNow
}

// wordsOf says why Slack refused something, for people.
func wordsOf(err error) string {
	code := codeOf(err)
	limited, isLimited := errors.AsType[*slack.RateLimitedError](err)
	switch status, isStatus := errors.AsType[slack.StatusCodeError](err); {
	case code != "":
		return cmp.Or(meanings[code].words, "Slack refuses it ("+code+")")
	case isLimited:
		return "Slack asks me to wait another " + seconds(limited.RetryAfter)
	case isStatus:
		return "Slack answers “" + status.Status + "”"
	case errors.Is(err, context.DeadlineExceeded):
		return "Slack doesn't answer in time"
	case aboutOf(err) == aboutFile:
		return "the address that Slack gives for files can't be reached from here"
	}
	return "Slack can't be reached"
}

// isGone tells whether a thread or a message isn't there any more, or takes no change.
func isGone(err error) bool { return aboutOf(err) == aboutThread }

// isClosed tells whether a channel takes no message until people mend that.
func isClosed(err error) bool {
	about := aboutOf(err)
	return about == aboutChannel || about == aboutRules
}

// refuses tells whether Slack will never take a message as it was sent.
func refuses(err error) bool {
	switch aboutOf(err) {
	case aboutUnknown, aboutText, aboutFile, aboutReplies, aboutPerson, aboutForm:
		return true
	}
	return false
}

// unwilling tells whether a message is to be told in another way, after so many tries.
// An answer that nobody knows may pass, and one that should pass may be about this
// message alone: both are tried a few times.
func unwilling(err error, tries int) bool {
	if aboutOf(err) == aboutUnknown {
		return tries >= triesOfUnknown
	}
	return refuses(err) || persists(err, tries)
}

// persists tells whether an answer that waiting should mend has come so often that it
// may be about this one message.
func persists(err error, tries int) bool {
	if _, limited := errors.AsType[*slack.RateLimitedError](err); limited {
		return false
	}
	status, isStatus := errors.AsType[slack.StatusCodeError](err)
	spoke := codeOf(err) != "" || isStatus && status.Code >= http.StatusInternalServerError
	return spoke && aboutOf(err) == aboutNow && tries >= triesOfPassing
}

const (
	triesOfUnknown = 3 // of an answer that nobody knows: it may pass
	triesOfFile    = 6 // of an address for files that doesn't answer: a quarter of a minute
	triesOfPassing = 9 // about a minute and a half
)

// uploadError says that Slack takes no file.
type uploadError struct{ err error }

func (e *uploadError) Error() string { return e.err.Error() }
func (e *uploadError) Unwrap() error { return e.err }
