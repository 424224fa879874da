import { Controller, Get, Module, type Type } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, ModulesContainer, NestFactory } from '@nestjs/core';
import { ACCESS_METADATA, Public, Requires } from '@app/common';
import type { AppConfig } from '@app/config';
import { AppModule } from '../../apps/api/src/app.module.js';
import { HttpAdapter } from '../../apps/api/src/http/http-adapter.js';

/** `Controller.method` of every mounted route, and of those that declare neither `@Requires` nor `@Public`. */
async function routesOf(root: Parameters<typeof NestFactory.create>[0]) {
  const app = await NestFactory.create(root, new HttpAdapter(), {
    preview: true,
    logger: false,
    abortOnError: false,
  });
  const all: string[] = [];
  const undeclared: string[] = [];
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      const { prototype } = metatype as Type;
      for (const name of new MetadataScanner().getAllMethodNames(prototype)) {
        const handler = prototype[name];
        if (Reflect.getMetadata(METHOD_METADATA, handler) === undefined) continue;
        const declares = [handler, metatype].some((target) => Reflect.hasMetadata(ACCESS_METADATA, target!));
        all.push(`${metatype!.name}.${name}`);
        if (!declares) undeclared.push(`${metatype!.name}.${name}`);
      }
    }
  }
  return { all, undeclared };
}

@Controller('forgetful')
class ForgetfulController {
  @Get('a')
  @Public()
  declared() {}

  @Get('b')
  @Requires('self:read')
  required() {}

  @Get('c')
  forgotten() {}
}

@Module({ controllers: [ForgetfulController] })
class ForgetfulModule {}

describe('every route says who may call it', () => {
  it('with @Requires or @Public', async () => {
    const { all, undeclared } = await routesOf(AppModule.of({} as AppConfig, 'postgres://nowhere'));
    expect(all).toEqual(
      expect.arrayContaining([
        'CompletionsController.create',
        'KeysController.create',
        'HealthController.ready',
      ]),
    );
    expect(undeclared).toEqual([]);
  });

  it('and one that does not is found', async () => {
    expect((await routesOf(ForgetfulModule)).undeclared).toEqual(['ForgetfulController.forgotten']);
  });
});
