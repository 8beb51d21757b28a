package audit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/request"
)

func TestEveryEventKeepsToThePublishedSchema(t *testing.T) {
	s := published(t)
	list := everyKind(t)
	for _, kind := range []string{"", "asked", "called", "told", "process-started", "never heard of"} {
		list = append(list, request.Event{At: noon, Kind: kind})
		for _, by := range []string{"otter", "slack:T1/U1", "slack:U1", "slack:", "slack.U1", "terminal:", "pigeon:loft/7", ":", "="} {
			list = append(list, event(t, kind, by, data{
				"asker": "?", "plan": 3, "report": []int{1}, "inputs": "x", "state": 4, "reason": strings.Repeat("long ", 20_000), "error": strings.Repeat("é", 40_000), "outcome": "so-so",
			}))
		}
	}
	for _, e := range list {
		if e.Kind == "" {
			continue // the store writes none
		}
		line := export(t, "ocsf", e)
		for _, fault := range s.faults([]byte(line)) {
			t.Errorf("%s by %q: %s", e.Kind, e.By, fault)
		}
	}
}

// ocsf is one event as it is exported.
func ocsf(t *testing.T, e request.Event) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(export(t, "ocsf", e)), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// at is what stands in o at a path, as JSON.
func at(t *testing.T, o map[string]any, path string) string {
	t.Helper()
	var v any = o
	for name := range strings.SplitSeq(path, ".") {
		inner, ok := v.(map[string]any)
		if !ok {
			return "null"
		}
		v = inner[name]
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestWhatAnEventIsInOCSF(t *testing.T) {
	called := func(action, outcome, fault string) request.Event {
		return event(t, "called", "otter", data{"service": "iam", "action": action, "target": "UserName=" + emails, "aws_request": "5f1c", "outcome": outcome, "error": fault})
	}
	for _, test := range []struct {
		name string
		e    request.Event
		want map[string]string // by path
	}{
		{"a call of AWS is one of AWS's API, by the person, in a session that carries their name", called("DeleteAccessKey", "done", ""), map[string]string{
			"class_uid": "6003", "type_uid": "600304", "activity_name": `"Delete"`, "status_id": "1", "severity_id": "1",
			"api.operation": `"DeleteAccessKey"`, "api.service.name": `"iam"`, "api.request.uid": `"5f1c"`, "cloud.provider": `"AWS"`, "metadata.profiles": `["cloud"]`,
			"actor.user.name": `"otter"`, "actor.user.domain": `"github.com"`, "actor.session.uid": `"otter@0000cafe"`, "actor.app_name": `"rootbot"`,
			"resources": `[{"name":"UserName=user@example.com","type":"iam"}]`, "metadata.correlation_uid": `"` + cafe + `"`, "src_endpoint.svc_name": `"rootbot"`,
			"unmapped": `{"outcome":"done"}`,
		}},
		{"a call that AWS refused failed, with AWS's words", called("PutUserPolicy", "", "AccessDenied"), map[string]string{
			"type_uid": "600303", "status_id": "2", "status": `"Failure"`, "severity_id": "2", "api.response.error_message": `"AccessDenied"`, "unmapped": "null",
		}},
		{"a call that nobody knows the outcome of is not known", called("CreateUser", "unknown", ""), map[string]string{"type_uid": "600301", "status_id": "0", "severity_id": "3"}},
		{"a call that is about to be made is the bot's deed alone, so that none is counted twice", event(t, "calling", "otter", data{"service": "iam", "action": "CreateUser"}), map[string]string{
			"type_uid": "600399", "activity_name": `"calling"`, "api.service.name": `"rootbot"`, "status_id": "0", "cloud": "null", "unmapped": `{"action":"CreateUser","service":"iam"}`,
		}},
		{"an outcome of its own keeps its word", called("ListUsers", "throttled", ""), map[string]string{"type_uid": "600302", "status_id": "99", "status": `"throttled"`}},
		{"an action that is neither of the four is other, by its name", called("Invoke", "done", ""), map[string]string{"type_uid": "600399", "activity_name": `"Invoke"`}},
		{"an action that only begins like a verb is other", called("Getaway", "done", ""), map[string]string{"type_uid": "600399"}},
		{"somebody who may ask without a login has a session under their ID", event(t, "called", "slack.U1", data{"action": "GetUser"}), map[string]string{
			"actor.session.uid": `"slack.U1@0000cafe"`, "actor.user.uid": `"slack.U1"`, "actor.user.name": `"U1"`,
		}},
		{"somebody who isn't known has no session", event(t, "called", "slack:T1/U1", data{"action": "GetUser"}), map[string]string{
			"actor.session": "null", "actor.user.uid": `"slack:T1/U1"`, "actor.user.name": `"U1"`, "actor.user.domain": `"slack"`,
		}},
		{"an ask is a call of the bot, from where it was asked", event(t, "asked", "slack:T1/U1", data{"operation": "remove-user", "asker": data{"front": "slack", "workspace": "T1", "user": "U1"}}), map[string]string{
			"type_uid": "600301", "api.operation": `"asked"`, "api.service.name": `"rootbot"`, "api.request.uid": `"` + cafe + `"`, "src_endpoint": `{"name":"slack","uid":"T1"}`,
			"resources": `[{"type":"request","uid":"` + cafe + `"}]`, "cloud": "null", "metadata.profiles": "null", "metadata.event_code": `"asked"`, "metadata.uid": `"` + hash + `"`,
			"time": "1772452800123", "metadata.original_time": `"2026-03-02T12:00:00.123456Z"`,
		}},
		{"an approval comes from where the event doesn't say: the bot took it", event(t, "approved", "badger", data{"digest": digest}), map[string]string{
			"type_uid": "600303", "src_endpoint": `{"name":"rootbot","svc_name":"rootbot"}`, "message": `"badger approved plan 1a2b3c4d"`, "unmapped.digest": `"` + digest + `"`,
		}},
		{"what the bot does by itself is a system's deed", event(t, "anchored", "", data{"seq": 3}), map[string]string{"actor": `{"app_name":"rootbot","user":{"name":"rootbot","type":"System","type_id":3}}`}},
		{"what the bot does for somebody has both of them", event(t, "step-begun", "otter", nil), map[string]string{"actor.user.name": `"otter"`, "actor.app_name": `"rootbot"`}},
		{"what somebody does is theirs alone", event(t, "approved", "badger", nil), map[string]string{"actor.user.name": `"badger"`, "actor.app_name": "null"}},
		{"a refusal is a failure, with its reason", event(t, "refused", "otter", data{"reason": "No."}), map[string]string{"status_id": "2", "status_detail": `"No."`, "severity_id": "2", "unmapped": "null"}},
		{"a click that came too late isn't the failure that it came after", event(t, "too-late", "otter", data{"tried": "approve", "state": request.Unknown}), map[string]string{"status_id": "2", "severity_id": "1"}},
		{"a broken glass is to be looked at at once", event(t, "break-glass", "badger", nil), map[string]string{"status_id": "1", "severity_id": "4"}},
		{"a run that failed with its last step failed", event(t, "step-ended", "otter", data{"state": request.Failed}), map[string]string{"status_id": "2", "severity_id": "3"}},
		{"a run of which nobody knows how far it came is to be looked at at once", event(t, "step-failed", "otter", data{"state": request.Unknown}), map[string]string{"status_id": "0", "status": `"Unknown"`, "severity_id": "4"}},
		{"a start is one of the application, in its version", event(t, "process-started", "", data{"version": "v1"}), map[string]string{
			"type_uid": "600203", "activity_name": `"Start"`, "app": `{"name":"rootbot","vendor_name":"aws-root-account","version":"v1"}`, "api": "null", "actor": "null",
		}},
		{"a stop is one of the application", event(t, "process-stopped", "", nil), map[string]string{"type_uid": "600204", "activity_name": `"Stop"`}},
		{"a kind that nobody has heard of is other, by its name", event(t, "dusted", "otter", data{"shelf": 3}), map[string]string{
			"type_uid": "600399", "activity_name": `"dusted"`, "status_id": "0", "unmapped": `{"shelf":3}`, "message": `"otter: dusted {\"shelf\":3}"`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := ocsf(t, test.e)
			got := map[string]string{}
			for path := range test.want {
				got[path] = at(t, o, path)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheSchemaFindsFaults(t *testing.T) {
	s := published(t)
	e := event(t, "called", "otter", data{"service": "iam", "action": "GetUser", "aws_request": "5f1c", "outcome": "done"})
	for _, test := range []struct {
		name, want string
		change     func(o map[string]any)
	}{
		{"nothing is wrong", "[]", func(map[string]any) {}},
		{"a required attribute is gone", "[src_endpoint is missing]", func(o map[string]any) { delete(o, "src_endpoint") }},
		{"a required attribute of an object is gone", "[metadata.product.vendor_name is missing]", func(o map[string]any) {
			delete(o["metadata"].(map[string]any)["product"].(map[string]any), "vendor_name")
		}},
		{"a profile's attribute is gone", "[cloud is missing]", func(o map[string]any) { delete(o, "cloud") }},
		{"a profile isn't named", "[cloud without its profile]", func(o map[string]any) { delete(o["metadata"].(map[string]any), "profiles") }},
		{"a value is none of the enum", "[severity_id 7 isn't one of the enum]", func(o map[string]any) { o["severity_id"] = 7; delete(o, "severity") }},
		{"a caption is another's", "[status is Failure, and status_id is Success]", func(o map[string]any) { o["status"] = "Failure" }},
		{"an attribute isn't there at all", "[otter isn't in the schema]", func(o map[string]any) { o["otter"] = 1 }},
		{"an object has none of what it needs", "[src_endpoint. has none of [ip uid name hostname svc_name instance_uid interface_uid interface_name]]", func(o map[string]any) { o["src_endpoint"] = data{} }},
		{"a text is a number", "[message 3 isn't a string_t]", func(o map[string]any) { o["message"] = 3 }},
		{"a list is none", "[resources is a list: false]", func(o map[string]any) { o["resources"] = data{"uid": "x"} }},
		{"the type isn't of class and activity", "[type_uid 600301 of class 6003 and activity 2]", func(o map[string]any) { o["type_uid"] = 600301 }},
		{"the version is another", "[metadata.version 1.4.0]", func(o map[string]any) { o["metadata"].(map[string]any)["version"] = "1.4.0" }},
		{"the class is another", "[class_uid 1 isn't one]", func(o map[string]any) { o["class_uid"] = 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := ocsf(t, e)
			test.change(o)
			line, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(s.faults(line)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
