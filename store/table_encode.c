/* SPDX-License-Identifier: ISC */
#include "store/checksum.h"
#include "store/table.h"
#include "store/table_text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

static json_t *escaped(const char *text, bool is_utf8)
{
	scoped_buffer struct buffer b = { 0 };

	for (const char *p = text; *p; p++) {
		unsigned char c = *p;
		int r = c == '%' || (c >= 0x80 && !is_utf8)
			? buffer_printf(&b, "%%%02x", c)
			: buffer_append(&b, &c, 1);

		if (r < 0)
			return NULL;
	}
	return json_stringn(b.data ? b.data : "", b.length);
}

/* NULL: no memory. */
static json_t *text_json(const char *text)
{
	json_t *json = escaped(text, true);

	return json ? json : escaped(text, false);
}

/* Sets object[key] to value, which may be NULL for no memory; owns value. */
static int put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

static int put_text(json_t *object, const char *key, const char *text)
{
	return put(object, key, text_json(text ? text : ""));
}

static int put_oid(json_t *object, const char *key, const struct oid *oid)
{
	char hex[OID_HEX_SIZE];

	if (oid_is_zero(oid))
		return 0;
	return put(object, key, json_string(oid_hex(oid, hex)));
}

static int put_number(json_t *object, const char *key, int64_t number)
{
	return put(object, key, json_integer(number));
}

static int put_branch(json_t *object, const void *element)
{
	const struct table_branch *branch = element;
	int r = put_number(object, "incarnation", branch->incarnation);

	if (r == 0)
		r = put_text(object, "name", branch->name);
	if (r == 0)
		r = put_oid(object, "head", &branch->head);
	if (r == 0)
		r = put_oid(object, "outside", &branch->outside);
	if (r == 0)
		r = put_oid(object, "local", &branch->local);
	if (r == 0 && branch->dropped)
		r = put_number(object, "dropped", branch->dropped);
	return r;
}

static int put_gone(json_t *object, const void *element)
{
	const struct table_ref *ref = element;
	int r = put_text(object, "name", ref->name);

	return r < 0 ? r : put_oid(object, "outside", &ref->outside);
}

static int put_side(json_t *object, const char *key, uint32_t mode,
		    const struct oid *oid)
{
	json_t *side;
	int r;

	if (!mode)
		return 0;
	side = json_object();
	r = side ? put_number(side, "mode", mode) : -ENOMEM;
	if (r == 0)
		r = put_oid(side, "oid", oid);
	if (r < 0) {
		json_decref(side);
		return r;
	}
	return put(object, key, side);
}

static int put_conflict(json_t *object, const void *element)
{
	const struct conflict *c = element;
	int r = put_number(object, "number", c->number);

	if (r == 0)
		r = put_text(object, "path", c->path);
	if (r == 0)
		r = put_text(object, "reason", c->reason);
	if (r == 0 && c->resolved)
		r = put(object, "resolved", json_true());
	if (r == 0)
		r = put_side(object, "base", c->base.mode, &c->base.oid);
	if (r == 0)
		r = put_side(object, "ours", c->ours.mode, &c->ours.oid);
	if (r == 0)
		r = put_side(object, "theirs", c->theirs.mode, &c->theirs.oid);
	if (r == 0)
		r = put_side(object, "merged", c->merged.mode, &c->merged.oid);
	if (r == 0)
		r = put_side(object, "suggested", c->suggested.mode,
			     &c->suggested.oid);
	return r;
}

typedef int put_function(json_t *object, const void *element);

/* An array of count elements of size bytes each. */
static int put_array(json_t *object, const char *key, const void *elements,
		     size_t count, size_t size, put_function *put_element)
{
	json_t *array = json_array();
	int r = put(object, key, array);

	for (size_t i = 0; r == 0 && i < count; i++) {
		json_t *element = json_object();

		if (json_array_append_new(array, element) < 0)
			return -ENOMEM;
		r = put_element(element, (const char *)elements + i * size);
	}
	return r;
}

static int put_report(json_t *object, const void *element)
{
	const struct conflict_report *report =
		*(struct conflict_report *const *)element;
	int r = put_number(object, "source", report->source);

	if (r == 0)
		r = put_number(object, "target", report->target);
	if (r == 0)
		r = put_text(object, "target_name", report->target_name);
	if (r == 0)
		r = put_oid(object, "ours", &report->ours);
	if (r == 0)
		r = put_oid(object, "theirs", &report->theirs);
	if (r == 0)
		r = put_array(object, "conflicts", report->conflicts,
			      report->count, sizeof(*report->conflicts),
			      put_conflict);
	return r;
}

static int put_head(json_t *object, const struct table *table)
{
	json_t *head;
	int r;

	if (!table->head_from || !table->head_to)
		return 0;
	head = json_object();
	r = put(object, "head", head);
	if (r == 0)
		r = put_text(head, "from", table->head_from);
	if (r == 0)
		r = put_text(head, "to", table->head_to);
	return r;
}

static int put_contents(json_t *object, const void *element)
{
	const struct table_contents *contents = element;
	int r = put_number(object, "id", contents->id);

	if (r == 0)
		r = put_number(object, "version", contents->version);
	if (r == 0)
		r = put_oid(object, "oid", &contents->oid);
	if (r == 0)
		r = put_number(object, "size", contents->size);
	if (r == 0 && contents->is_local)
		r = put(object, "local", json_true());
	return r;
}

static int put_held(json_t *object, const void *element)
{
	return put_number(object, "sequence", *(const uint64_t *)element);
}

static int put_journal(json_t *object, const struct table_journal *j)
{
	json_t *journal;
	int r;

	if (!j->epoch)
		return 0;
	journal = json_object();
	r = put(object, "journal", journal);
	if (r == 0)
		r = put_number(journal, "epoch", j->epoch);
	if (r == 0)
		r = put_number(journal, "published", j->published);
	if (r == 0)
		r = put_array(journal, "held", j->held, j->held_count,
			      sizeof(*j->held), put_held);
	if (r == 0)
		r = put_array(journal, "contents", j->contents,
			      j->contents_count, sizeof(*j->contents),
			      put_contents);
	return r;
}

static int put_table(json_t *object, const struct table *table)
{
	int r = put_number(object, "version", TABLE_VERSION);

	if (r == 0)
		r = put_number(object, "next_incarnation",
			       table->next_incarnation);
	if (r == 0)
		r = put_array(object, "branches", table->branches,
			      table->branch_count, sizeof(*table->branches),
			      put_branch);
	if (r == 0)
		r = put_array(object, "gone", table->gone, table->gone_count,
			      sizeof(*table->gone), put_gone);
	if (r == 0)
		r = put_head(object, table);
	if (r == 0)
		r = put_array(object, "reports", table->reports,
			      table->report_count, sizeof(*table->reports),
			      put_report);
	if (r == 0)
		r = put_journal(object, &table->journal);
	return r;
}

static int append_piece(const char *data, size_t size, void *context)
{
	return buffer_append(context, data, size);
}

int table_encode(const struct table *table, struct buffer *ret)
{
	scoped_buffer struct buffer text = { 0 };
	json_t *object = json_object();
	int r = object ? put_table(object, table) : -ENOMEM;

	if (r == 0 && json_dump_callback(object, append_piece, &text,
					 JSON_INDENT(1)) < 0)
		r = -ENOMEM;
	json_decref(object);
	if (r == 0)
		r = buffer_append(&text, "\n", 1);
	if (r == 0)
		r = buffer_printf(&text, TABLE_TRAILER "%016" PRIx64 "\n",
				  checksum64(text.data, text.length, 0));
	if (r == 0)
		r = buffer_append(ret, text.data, text.length);
	return r;
}
