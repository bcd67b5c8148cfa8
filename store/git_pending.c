/* SPDX-License-Identifier: ISC */
#include "store/git_pending.h"
#include "store/git_packs.h"

#include <errno.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(object) ((object)->unhashed = true)
#include <uthash.h>

/* Ids of kept packs that are remembered; forgotten ones are only written
 * again. */
#define KEPT_MOST 65536

struct pending {
	struct oid oid;
	enum object_type type;
	size_t size;
	void *data;			/* NULL: in a kept pack */
	struct pending *next;		/* in the order of writing */
	bool unhashed;
	UT_hash_handle hh;
};

struct git_pending {
	pthread_mutex_t lock;		/* guards what follows; not held while
					 * the disk is waited for */
	pthread_cond_t ended;
	bool running;			/* some thread flushes what it took */
	int broken;			/* error of a failed flush; never mended */
	struct pending *table;
	struct pending *first, **end;	/* not yet flushed, nor being it */
	size_t bytes;			/* of all data in the table */
	size_t kept;			/* objects in the table without data */
	unsigned int holders;
	uint64_t made;			/* packs */
	int level;
	struct git_packs packs;		/* .kept; the rest is whose runs */
};

/* ---- the table ---- */

static struct pending *find_locked(struct git_pending *p,
				   const struct oid *oid)
{
	struct pending *object;

	HASH_FIND(hh, p->table, oid, sizeof(*oid), object);
	return object;
}

static void drop_locked(struct git_pending *p, struct pending *object)
{
	HASH_DEL(p->table, object);
	if (object->data)
		p->bytes -= object->size;
	else
		p->kept--;
	free(object->data);
	free(object);
}

static void drop_kept_locked(struct git_pending *p)
{
	struct pending *object, *next;

	if (p->kept == 0)
		return;
	HASH_ITER(hh, p->table, object, next)
		if (!object->data)
			drop_locked(p, object);
}

bool git_pending_has(struct git_pending *p, const struct oid *oid)
{
	SCOPED_LOCK(&p->lock);

	return find_locked(p, oid) != NULL;
}

bool git_pending_is_full(struct git_pending *p)
{
	SCOPED_LOCK(&p->lock);

	return p->bytes >= PENDING_MOST;
}

static int add_locked(struct git_pending *p, struct pending *object)
{
	if (find_locked(p, &object->oid))
		return -EEXIST;
	HASH_ADD(hh, p->table, oid, sizeof(object->oid), object);
	if (object->unhashed)
		return -ENOMEM;
	p->bytes += object->size;
	*p->end = object;
	p->end = &object->next;
	return 0;
}

int git_pending_add(struct git_pending *p, const struct oid *oid,
		    enum object_type type, void *data, size_t size)
{
	struct pending *object = calloc(1, sizeof(*object));
	int r = -ENOMEM;

	if (object) {
		*object = (struct pending){ .oid = *oid, .type = type,
					    .size = size, .data = data };
		SCOPED_LOCK(&p->lock);
		r = add_locked(p, object);
	}
	if (r < 0) {
		free(object);
		free(data);
	}
	return r == -EEXIST ? 0 : r;
}

int git_pending_read(struct git_pending *p, const struct oid *oid,
		     enum object_type *ret_type, void **ret_data,
		     size_t *ret_size)
{
	const struct pending *object;
	SCOPED_LOCK(&p->lock);

	object = find_locked(p, oid);
	if (!object || !object->data)
		return -ENOENT;
	if (ret_data) {
		char *data = malloc(object->size + 1);

		if (!data)
			return -ENOMEM;
		memcpy(data, object->data, object->size);
		data[object->size] = '\0';
		*ret_data = data;
	}
	*ret_type = object->type;
	*ret_size = object->size;
	return 0;
}

/* ---- flushing ---- */

/* An array over the list; the objects stay in the table. */
static int describe(const struct pending *first, struct pack_object **ret,
		    size_t *ret_count)
{
	struct pack_object *objects;
	size_t count = 0, n = 0;

	for (const struct pending *o = first; o; o = o->next)
		count++;
	objects = calloc(count, sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	for (const struct pending *o = first; o; o = o->next)
		objects[n++] = (struct pack_object){
			.oid = o->oid, .type = o->type, .data = o->data,
			.size = o->size,
		};
	*ret = objects;
	*ret_count = count;
	return 0;
}

static int write_pack(struct git_pending *p, const struct pending *first,
		      struct git_packs *packs, bool *ret_sick)
{
	scoped_free struct pack_object *objects = NULL;
	size_t count;
	int r = describe(first, &objects, &count);

	if (r == 0)
		r = git_packs_add(packs, objects, count, p->level, ret_sick);
	if (r < 0)
		log_error("new objects cannot be stored: %s%s", strerror(-r),
			  *ret_sick ? "; nothing is durable until the store is "
			  "mounted again" : "");
	return r;
}

/* The disk has them now; what is read of them comes from there. */
static void note_kept_locked(struct git_pending *p, struct pending *first)
{
	for (struct pending *o = first, *next; o; o = next) {
		next = o->next;
		o->next = NULL;
		p->bytes -= o->size;
		p->kept++;
		free(STEAL(o->data));
	}
	p->made++;
	if (p->kept > KEPT_MOST)
		drop_kept_locked(p);
}

static void give_back_locked(struct git_pending *p, struct pending *first,
			     struct pending **end)
{
	*end = p->first;
	if (!p->first)
		p->end = end;
	p->first = first;
}

/* With the lock, which is not held meanwhile.  One thread at a time. */
static int flush_batch_locked(struct git_pending *p)
{
	struct pending *first = p->first, **end = p->end;
	struct git_packs packs = { .dir_fd = p->packs.dir_fd };
	struct kept_pack *made;
	bool sick = false;
	int r;

	p->first = NULL;
	p->end = &p->first;
	p->running = true;
	pthread_mutex_unlock(&p->lock);
	r = write_pack(p, first, &packs, &sick);
	made = git_packs_take_kept(&packs);
	pthread_mutex_lock(&p->lock);
	p->running = false;
	if (r == 0) {
		git_packs_put_kept(&p->packs, made);
		note_kept_locked(p, first);
	} else {
		give_back_locked(p, first, end);
	}
	if (sick)
		p->broken = r;
	pthread_cond_broadcast(&p->ended);
	return r;
}

int git_pending_flush(struct git_pending *p, uint64_t *ret_packs)
{
	int r;
	SCOPED_LOCK(&p->lock);

	while (p->running)
		pthread_cond_wait(&p->ended, &p->lock);
	r = p->broken;
	if (r == 0 && p->first)
		r = flush_batch_locked(p);
	if (ret_packs)
		*ret_packs = p->made;
	return r;
}

/* ---- keeping ---- */

void git_pending_settle(struct git_pending *p)
{
	struct kept_pack *kept = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->holders == 0) {
		kept = git_packs_take_kept(&p->packs);
		drop_kept_locked(p);
	}
	pthread_mutex_unlock(&p->lock);
	git_packs_let_go(&p->packs, kept);
}

void git_pending_hold(struct git_pending *p)
{
	SCOPED_LOCK(&p->lock);

	p->holders++;
}

void git_pending_release(struct git_pending *p)
{
	SCOPED_LOCK(&p->lock);

	p->holders--;
}

int git_pending_recover(struct git_pending *p)
{
	return git_packs_recover(&p->packs);
}

/* ---- making ---- */

int git_pending_new(int git_dir_fd, struct git_pending **ret)
{
	struct git_pending *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	r = git_packs_init(&p->packs, git_dir_fd);
	if (r < 0) {
		free(p);
		return r;
	}
	p->end = &p->first;
	p->level = 1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->ended, NULL);
	*ret = p;
	return 0;
}

void git_pending_set_level(struct git_pending *p, int level)
{
	p->level = level;
}

void git_pending_free(struct git_pending *p)
{
	struct pending *object, *next;

	if (!p)
		return;
	HASH_ITER(hh, p->table, object, next)
		drop_locked(p, object);
	git_packs_release(&p->packs);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->ended);
	free(p);
}
