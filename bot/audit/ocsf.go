package audit

import (
	"cmp"
	"maps"
	"strings"
	"unicode"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Two classes of OCSF 1.3.0 hold everything. What the bot and people do, with
// AWS and with requests, is API Activity: somebody has a service do something,
// with an outcome. That the process started and stopped is Application Lifecycle.
//
// Classes for what a deed means, such as Account Change, were not chosen: the
// bot knows what it called, and AWS's own records say what that changed.
//
// https://schema.ocsf.io/1.3.0/classes/api_activity
// https://schema.ocsf.io/1.3.0/classes/application_lifecycle
const (
	ocsfVersion = "1.3.0"
	application = 6 // category
	apiActivity = 6003
	lifecycle   = 6002

	vendor = "aws-root-account"
)

// activity is what API Activity says of a deed.
type activity int

const (
	creates activity = 1
	reads   activity = 2
	updates activity = 3
	deletes activity = 4
	other   activity = 99 // its name is the operation's

	starts activity = 3 // of Application Lifecycle
	stops  activity = 4
)

var activityNames = map[activity]string{creates: "Create", reads: "Read", updates: "Update", deletes: "Delete"}

type status int

const (
	notKnown  status = 0
	succeeded status = 1
	failed    status = 2
	inWords   status = 99 // the event's own word for it
)

var statusNames = map[status]string{notKnown: "Unknown", succeeded: "Success", failed: "Failure"}

type severity int

const (
	informational severity = 1
	low           severity = 2 // somebody may want to know
	medium        severity = 3 // somebody should look
	high          severity = 4 // at once
)

var severityNames = map[severity]string{informational: "Informational", low: "Low", medium: "Medium", high: "High"}

// deed is what an event is in OCSF's eyes.
type deed struct {
	activity activity
	status   status
	severity severity
}

// deeds are what the kinds of events are. The life of a request is updates of
// it; telling people something is neither of the four.
var deeds = map[string]deed{
	"asked":           {creates, succeeded, informational},
	"admitted":        {updates, succeeded, informational},
	"refused":         {updates, failed, low},
	"planned":         {updates, succeeded, informational},
	"unplanned":       {updates, failed, low},
	"shown":           {other, succeeded, informational},
	"unshown":         {other, failed, low},
	"approved":        {updates, succeeded, informational},
	"rejected":        {updates, succeeded, informational},
	"withdrawn":       {updates, succeeded, informational},
	"expired":         {updates, succeeded, informational},
	"reminded":        {other, succeeded, informational},
	"stale":           {updates, succeeded, low},
	"replanned":       {updates, succeeded, informational},
	"started":         {updates, succeeded, informational},
	"lapsed":          {updates, succeeded, medium},
	"lifted":          {updates, succeeded, medium},
	"again":           {updates, succeeded, low},
	"end":             {updates, succeeded, low},
	"adopted":         {updates, succeeded, low},
	"voided":          {updates, succeeded, low},
	"acting":          {other, notKnown, informational}, // a change outside AWS; its step tells how it went
	"alarm":           {other, succeeded, medium},
	"step-begun":      {updates, succeeded, informational},
	"step-ended":      {updates, succeeded, informational},
	"step-failed":     {updates, failed, medium},
	"calling":         {other, notKnown, informational}, // how it went is told by "called"
	"told":            {other, succeeded, informational},
	"undo":            {updates, succeeded, informational},
	"undone":          {updates, succeeded, informational},
	"gave-up":         {updates, failed, medium},
	"too-late":        {updates, failed, informational},
	"break-glass":     {updates, succeeded, high},
	"reviewed":        {updates, succeeded, informational},
	"linked":          {creates, succeeded, informational},
	"link-confirmed":  {updates, succeeded, low},
	"link-revoked":    {deletes, succeeded, low},
	"unlinked":        {deletes, succeeded, informational},
	"proved":          {other, succeeded, informational},
	"claimed":         {creates, failed, medium},
	"channel-renamed": {updates, succeeded, low},
	"settings":        {updates, succeeded, low},
	"restored":        {updates, succeeded, high},
	"anchored":        {creates, succeeded, informational},
	"anchored-daily":  {creates, succeeded, informational},
	"anchored-vault":  {creates, succeeded, informational},
	"process-started": {starts, succeeded, informational},
	"process-stopped": {stops, succeeded, informational},
}

// object is a JSON object without empty values.
type object map[string]any

func (o object) with(key string, v any) object {
	if inner, ok := v.(object); !empty(v) && (!ok || len(inner) > 0) {
		o[key] = v
	}
	return o
}

// inOCSF is an event as OCSF has it. What OCSF has no place for is unmapped.
func inOCSF(event request.Event) object {
	e, told := newEntry(event), newEntry(event)
	message := told.sentence()
	d, ok := deeds[e.Kind]
	if !ok {
		d = deed{other, notKnown, informational}
	}
	metadata := object{
		"version": ocsfVersion, "product": ourselves(""), "sequence": e.Seq, "event_code": e.Kind,
		"log_name": "audit", "log_provider": us, "original_time": stamp(e.At),
	}.with("uid", e.Hash).with("correlation_uid", e.Request)
	o := object{
		"category_uid": application, "category_name": "Application Activity", "class_uid": apiActivity, "class_name": "API Activity",
		"time": e.At.UnixMilli(), "metadata": metadata,
	}
	var name string
	switch e.Kind {
	case "process-started", "process-stopped":
		o["class_uid"], o["class_name"], o["app"] = lifecycle, "Application Lifecycle", ourselves(e.text("version"))
		if name = "Start"; d.activity == stops {
			name = "Stop"
		}
	case "called":
		metadata["profiles"], o["cloud"] = []string{"cloud"}, object{"provider": "AWS"}
		d, name = e.call(o)
	default:
		name = e.deed(o, d.activity, told.ours)
	}
	statusName := statusNames[d.status]
	if d.status == inWords {
		statusName = text(e.Data["outcome"])
	}
	// A request that ended badly, not one that somebody came too late for.
	if e.Data["tried"] == nil {
		switch text(e.Data["state"]) {
		case string(request.Failed):
			d.status, d.severity, statusName = failed, max(d.severity, medium), statusNames[failed]
		case string(request.Unknown):
			d.status, d.severity, statusName = notKnown, high, statusNames[notKnown]
		}
	}
	class, _ := o["class_uid"].(int)
	o["type_uid"] = class*100 + int(d.activity)
	o["activity_id"], o["activity_name"] = int(d.activity), name
	o["status_id"], o["status"] = int(d.status), statusName
	o["severity_id"], o["severity"] = int(d.severity), severityNames[d.severity]
	maps.DeleteFunc(e.left, func(_ string, v any) bool { return empty(v) })
	return o.with("message", cut(message, longest)).with("status_detail", cut(e.text("reason"), longest)).with("unmapped", e.left)
}

// longest is the most bytes of a text: OCSF's string_t has at most 65,535.
const longest = 65_535

// ourselves is the bot as a product.
func ourselves(version string) object {
	return object{"name": us, "vendor_name": vendor}.with("version", version)
}

// deed fills in what the bot or a person did with a request, as a call of the
// bot's own interface. It returns the activity's name.
func (e *entry) deed(o object, a activity, ours bool) string {
	actor := object{"user": e.user()}
	if ours {
		actor["app_name"] = us
	}
	o["actor"] = actor
	o["api"] = object{"operation": e.Kind, "service": object{"name": us}}
	if e.Request != "" {
		o["api"].(object)["request"] = object{"uid": e.Request}
		o["resources"] = []object{{"uid": e.Request, "type": "request"}}
	}
	o["src_endpoint"] = e.source()
	if name, ok := activityNames[a]; ok {
		return name
	}
	return e.Kind
}

// call fills in a call of AWS. It is the bot's, in a session that carries the
// person's name.
func (e *entry) call(o object) (deed, string) {
	action, service, fault := cmp.Or(e.text("action"), e.Kind), e.text("service"), e.text("error")
	api := object{"operation": action}.with("service", object{}.with("name", service))
	if id := e.text("aws_request"); id != "" {
		api["request"] = object{"uid": id}
	}
	d := deed{verb(action), outcome(text(e.Data["outcome"])), informational}
	if fault != "" {
		d.status = failed
		api["response"] = object{"error_message": cut(fault, longest)}
	}
	switch {
	case d.status == failed:
		d.severity = low
	case text(e.Data["outcome"]) == "unknown":
		d.severity = medium
	}
	actor := object{"user": e.user(), "app_name": us}
	if e.Request != "" && e.By != "" && !strings.Contains(e.By, ":") {
		actor["session"] = object{"uid": awsaccess.SessionName(ops.Request{ID: e.Request, By: e.By})}
	}
	o["actor"], o["api"] = actor, api
	o["src_endpoint"] = object{"name": us, "svc_name": us}
	if target := e.text("target"); target != "" {
		o["resources"] = []object{object{"name": target}.with("type", service)}
	}
	if name, ok := activityNames[d.activity]; ok {
		return d, name
	}
	return d, action
}

// outcome is what became of a call, by the word for it.
func outcome(word string) status {
	switch strings.ToLower(word) {
	case "", "unknown":
		return notKnown
	case "done", "ok", "success", "succeeded":
		return succeeded
	case "failed", "error", "failure", "refused", "denied":
		return failed
	}
	return inWords
}

// verbs are what the first word of an AWS action does. Others, such as Invoke,
// are neither of the four.
var verbs = map[string]activity{
	"Create": creates,
	"Get":    reads, "List": reads, "Describe": reads, "Lookup": reads, "Filter": reads, "Search": reads, "Simulate": reads,
	"Add": updates, "Attach": updates, "Change": updates, "Deactivate": updates, "Detach": updates, "Disable": updates, "Enable": updates,
	"Put": updates, "Remove": updates, "Set": updates, "Tag": updates, "Untag": updates, "Update": updates,
	"Delete": deletes,
}

func verb(action string) activity {
	first := action
	if i := strings.IndexFunc(action[min(1, len(action)):], unicode.IsUpper); i >= 0 {
		first = action[:i+1]
	}
	if a, ok := verbs[first]; ok {
		return a
	}
	return other
}

// user is who the event is by, under the name that the audit has for them.
func (e *entry) user() object {
	if e.By == "" {
		return object{"name": us, "type_id": 3, "type": "System"}
	}
	p := e.person()
	switch {
	case p.login != "":
		return object{"name": p.login, "uid": p.login, "domain": "github.com", "type_id": 1, "type": "User"}
	case p.user != "":
		return object{"name": p.user, "uid": e.By, "domain": p.front, "type_id": 1, "type": "User"}
	}
	return object{"uid": e.By, "type_id": 0, "type": "Unknown"}
}

// source is where a deed came from, which API Activity requires. The audit keeps
// no addresses: it is the front where the person was met, as far as the event
// tells, and else the bot.
func (e *entry) source() object {
	if p := e.person(); e.By != "" && p.front != "" {
		return object{"name": p.front}.with("uid", p.workspace)
	}
	return object{"name": us, "svc_name": us}
}
